"""How agents answer the desk gate on one system: by a note, a state, a field, or an approval."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, model_validator

from engine.domain.desk import DeskChannel

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "accept": "accept",
        "wrong_action": "wrong action",
        "wrong_person": "wrong person",
        "do_it_myself": "do it myself",
    }
)
"""Our word of an answer, and how people write it in a note."""
_CODE = "{code}"


class DeskWay(BaseModel, extra="forbid", frozen=True):
    """The native way of one system.

    Attributes:
        by: `note`: an internal note with the plan's code. `state` or `field`: the ticket's state,
            or the named field, is set to one of the values below; who did stands in the history.
        field: The field's native name (or, in Jira, its name or id).
        accept, wrong_action, wrong_person, do_it_myself: The native value of each answer; one
            without a value is given by an internal note. In a text field `{code}` stands for the
            plan's code, and a value that carries another plan's code does not count.
    """

    by: DeskChannel = DeskChannel.NOTE
    field: str = ""
    accept: str = ""
    wrong_action: str = ""
    wrong_person: str = ""
    do_it_myself: str = ""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        values = [value for value in self.values().values() if value]
        if len({value.casefold() for value in values}) != len(values):
            raise ValueError("each answer at the desk needs a value of its own")
        is_set = self.by in {DeskChannel.STATE, DeskChannel.FIELD}
        if is_set is not bool(self.accept) or (values and not is_set):
            raise ValueError("by: state and by: field need a value `accept`; no other way has one")
        if (self.by is DeskChannel.FIELD) is not bool(self.field):
            raise ValueError("by: field needs the name of a `field`; no other way has one")
        if self.by is DeskChannel.STATE and any(_CODE in value for value in values):
            raise ValueError("a state carries no plan code")
        return self

    def values(self) -> Mapping[str, str]:
        """Return our word of each answer and its native value, "" where it has none."""
        return {word: str(getattr(self, word)) for word in WORDS}

    def answer(self, *natives: str) -> tuple[str, str] | None:
        """Return which answer a native value (or one of its names) is, with the code it carries."""
        for word, wanted in self.values().items():
            if not wanted:
                continue
            pattern = re.escape(wanted).replace(re.escape(_CODE), r"([0-9a-f]{8})")
            for native in natives:
                match = re.fullmatch(pattern, native.strip(), re.IGNORECASE)
                if match is not None:
                    return word, (match[1].lower() if match.re.groups else "")
        return None

    def how_to(self, code: str, *, approval: str = "") -> str:
        """Return the lines that tell an agent how to answer, for the end of the request."""
        lines: Sequence[str]
        match self.by:
            case DeskChannel.NOTE:
                lines = ["Answer with one internal note:", f"  tiergate: accept {code}"]
            case DeskChannel.STATE | DeskChannel.FIELD:
                what = "the state" if self.by is DeskChannel.STATE else f"the field {self.field}"
                lines = [f"To accept: set {what} to {self.accept.replace(_CODE, code)}"]
                lines += [
                    f"{WORDS[word].capitalize()}: set {what} to {value.replace(_CODE, code)}"
                    for word, value in self.values().items()
                    if value and word != "accept"
                ]
            case DeskChannel.APPROVAL:
                lines = [f"To accept: approve on this ticket ({approval}); declining stops it."]
        left = [
            f"  tiergate: {WORDS[word]}"
            for word, value in self.values().items()
            if not value and word != "accept"
        ]
        if left and self.by is not DeskChannel.NOTE:
            left = ["Or stop it by an internal note:", *left]
        return "\n".join([*lines, *left])
