"""The plan of a standard change: its texts belong to the template, so it stands on change tasks.

ServiceNow copies the template's texts over what a client sends and makes them read-only (business
rule "Restrict fields from Standard Change"), so nothing of ours would be read there. A task's
description holds 4,000 characters; the parts of the plan are put one behind the other, whole, on as
few tasks as they need. The tasks' sys_ids follow from change and key, so that they are made once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from engine.domain.plan import ChangeDraft, PlanText, fold
from engine.domain.refs import ChangeRef
from engine.errors import (
    DoesNotFitError,
    InvalidAnswerError,
    OutcomeUnknownError,
    PermanentError,
    RecordNotFoundError,
)

PLAN_MARK = "Tiergate plan"
"""`correlation_display` of the tasks."""
WATCHED = frozenset({"short_description", "description", "change_request"})
"""The columns of a task that make up the plan; its state is not among them."""
_MOST = 8
_LARGEST = 4000
_FIELDS = ("sys_id", "change_request", "description", "sys_mod_count")
_HEADINGS: Mapping[str, str] = {
    "short_description": "[What]",
    "description": "[Description]",
    "justification": "[Justification]",
    "risk_and_impact": "[Risk and impact analysis]",
    "implementation": "[Implementation plan]",
    "test": "[Test plan]",
    "backout": "[Backout plan]",
}
"""PlanText name -> the line above its text, in reading order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOnTasks:
    """The plan as its tasks carry it now.

    `ids` are the tasks that exist; `rewritten` those that were written again since they were
    made, so that the history has to say what was.
    """

    text: PlanText
    ids: tuple[str, ...]
    rewritten: frozenset[str]
    hidden: int


class PlanTasks:
    """Writes and reads the plan tasks of one instance."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client

    def write(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Make the tasks that are not there yet; none is ever written again.

        Raises:
            DoesNotFitError: The plan would have to be cut, or could not be read back.
            OutcomeUnknownError: An answer was lost and the task cannot be seen (yet).
            InvalidAnswerError: The instance did not keep the sys_id that we chose.
        """
        parts = pack(draft.text)
        for number, part in enumerate(parts, start=1):
            self._make(
                ref,
                task_id(ref.id, draft.correlation_id, number),
                {
                    "change_request": ref.id,
                    "change_task_type": "planning",
                    "short_description": f"Plan {number} of {len(parts)}: what Tiergate will do",
                    "description": part,
                    "correlation_id": draft.correlation_id,
                    "correlation_display": PLAN_MARK,
                },
            )

    def _make(self, ref: ChangeRef, sys_id: str, values: Mapping[str, str]) -> None:
        if self._is_there(sys_id):
            return
        try:
            made = self._client.create("change_task", {"sys_id": sys_id, **values}, fields=_FIELDS)
        except (OutcomeUnknownError, PermanentError):
            if not self._is_there(sys_id):
                raise
            return
        if text(made, "sys_id") != sys_id:
            raise InvalidAnswerError(
                f"{ref}: the instance does not keep a chosen sys_id, so a plan's task is not found"
            )

    def _is_there(self, sys_id: str) -> bool:
        try:
            self._client.read("change_task", sys_id, fields=("sys_id",))
        except RecordNotFoundError:
            return False
        return True

    def read(self, ref: ChangeRef, correlation_id: str) -> PlanOnTasks:
        """Return the plan as it stands; a task that is gone or moved away leaves its part out."""
        ids = [task_id(ref.id, correlation_id, number) for number in range(1, _MOST + 1)]
        rows, hidden = self._client.rows_of("change_task", "sys_id", ids, fields=_FIELDS)
        held = {text(row, "sys_id"): row for row in rows if text(row, "change_request") == ref.id}
        found = _unbroken(ids, held)
        return PlanOnTasks(
            text=unpack([text(row, "description") for row in found]),
            ids=tuple(sorted(text(row, "sys_id") for row in rows)),
            rewritten=frozenset(
                text(row, "sys_id") for row in rows if text(row, "sys_mod_count") != "0"
            ),
            hidden=hidden,
        )


def _unbroken(ids: Sequence[str], held: Mapping[str, Record]) -> list[Record]:
    found: list[Record] = []
    for one in ids:
        if one not in held:
            break
        found.append(held[one])
    return found


def task_id(change_id: str, correlation_id: str, number: int) -> str:
    """Return the sys_id of a plan task, the same for every attempt at it."""
    name = f"plan\x1f{change_id}\x1f{correlation_id}\x1f{number}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def pack(plan: PlanText) -> tuple[str, ...]:
    """Return the descriptions of the tasks that hold a plan whole.

    Raises:
        DoesNotFitError: A part is too long, or a line of it reads like a heading of ours.
    """
    found: list[str] = []
    for name, body in plan.fields().items():
        section = f"{_HEADINGS[name]}\n{fold(body)}"
        if len(section) > _LARGEST:
            raise DoesNotFitError(f"{name} of the plan does not fit whole into a change task")
        joined = f"{found[-1]}\n\n{section}" if found else section
        if found and len(joined) <= _LARGEST:
            found[-1] = joined
        else:
            found.append(section)
    if len(found) > _MOST or unpack(found).digest != plan.digest:
        raise DoesNotFitError("the plan cannot be written on change tasks and read back as it is")
    return tuple(found)


def unpack(descriptions: Sequence[str]) -> PlanText:
    """Return the plan from its tasks' descriptions; what has no heading is not there."""
    expected = list(_HEADINGS.items())
    bodies: dict[str, list[str]] = {name: [] for name in _HEADINGS}
    current: list[str] = []
    for line in "\n".join(descriptions).replace("\r\n", "\n").split("\n"):
        if expected and line.rstrip() == expected[0][1]:
            name, _ = expected.pop(0)
            current = bodies[name]
        else:
            current.append(line)
    return PlanText(**{name: fold("\n".join(lines)) for name, lines in bodies.items()})
