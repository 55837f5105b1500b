"""The plan's texts on the native form, and back: what counts is what is read back."""

from collections.abc import Mapping
from typing import Any

from connectors.jira.client import JiraClient
from connectors.jira.settings import ChangeSettings, PlanField
from connectors.jira.site import NativeField, Site, native_value
from connectors.jira.values import (
    Payload,
    fenced,
    instant,
    native_instant,
    one_line,
    text_of,
    unfenced,
)
from engine.domain.decision import Window
from engine.domain.plan import ChangeDraft, PlanText, fold
from engine.errors import PlanChangedError

TEXTS = (
    PlanField.SHORT_DESCRIPTION,
    PlanField.DESCRIPTION,
    PlanField.JUSTIFICATION,
    PlanField.RISK_AND_IMPACT,
    PlanField.IMPLEMENTATION,
    PlanField.TEST,
    PlanField.BACKOUT,
)
OPTIONAL = (
    PlanField.PLANNED_START,
    PlanField.PLANNED_END,
    PlanField.KIND,
    PlanField.CORRELATION,
)
_CORRELATION_MOST = 255


class PlanForm:
    """Which native field holds which part of the plan, on one site."""

    def __init__(self, client: JiraClient, site: Site, settings: ChangeSettings) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._settings = settings

    def native(self, part: PlanField) -> NativeField | None:
        """Return the field of a part; None where an optional part has none here.

        Raises:
            FieldUnknownError: A text of the plan has no field, or the name stands for several.
        """
        names = self._settings.native(part)
        found = (self._site.find_field(name) for name in names)
        first = next((one for one in found if one is not None), None)
        return first if first is not None or part in OPTIONAL else self._site.field(names[0])

    def _text_field(self, part: PlanField) -> NativeField:
        return self.native(part) or self._site.field(self._settings.native(part)[0])

    def ids(self) -> tuple[str, ...]:
        """Return the native fields of all parts."""
        found = (self.native(part) for part in PlanField)
        return tuple(one.id for one in found if one is not None)

    def window_ids(self) -> tuple[str, ...]:
        """Return the native fields of the planned start and end, as far as the site has them."""
        found = (self.native(part) for part in _WINDOW)
        return tuple(one.id for one in found if one is not None)

    def words(self) -> Mapping[str, str]:
        """Return native field id and name to our word, for reading the history."""
        words = {"status": "state"}
        for part in PlanField:
            one = self.native(part)
            if one is not None:
                word = "window" if part in _WINDOW else str(part)
                words |= {one.id: word, one.name: word}
        return words

    def values(self, draft: ChangeDraft) -> dict[str, Any]:
        """Return native field id to value, for everything that the draft says.

        Raises:
            DoesNotFitError: A text that its field cannot hold whole and letter by letter.
            FieldUnknownError: A field of the draft that the site does not have.
        """
        texts = draft.text.fields()
        found: dict[str, Any] = {}
        for part in TEXTS:
            one = self._text_field(part)
            is_line = part is PlanField.SHORT_DESCRIPTION
            write = one_line if is_line else fenced
            text = write(texts[part], str(part))
            if text:
                found[one.id] = text
        found |= self._facts(draft)
        for name, text in draft.native.items():
            one = self._site.field(name)
            found[one.id] = native_value(one, text, is_cloud=self._client.is_cloud)
        return found

    def _facts(self, draft: ChangeDraft) -> dict[str, Any]:
        earliest, latest = draft.window.earliest, draft.window.latest
        given: Mapping[PlanField, str | None] = {
            PlanField.PLANNED_START: None if earliest is None else native_instant(earliest),
            PlanField.PLANNED_END: None if latest is None else native_instant(latest),
            PlanField.KIND: self._settings.kinds.get(draft.kind),
            PlanField.CORRELATION: draft.correlation_id
            if len(draft.correlation_id) <= _CORRELATION_MOST
            else None,
        }
        found: dict[str, Any] = {}
        for part, text in given.items():
            one = self.native(part)
            if one is not None and text is not None:
                found[one.id] = native_value(one, text, is_cloud=self._client.is_cloud)
        return found

    def text(self, fields: Payload) -> PlanText:
        """Return the plan's texts as they stand on the record."""
        held = {str(part): unfenced(fields.get(self._text_field(part).id)) for part in TEXTS}
        return PlanText(**held)

    def window(self, fields: Payload) -> Window:
        """Return the window as it stands on the record; open where no field or no value says."""
        ends: dict[PlanField, Any] = {}
        for part in _WINDOW:
            one = self.native(part)
            value = None if one is None else fields.get(one.id)
            ends[part] = None if not value else instant(value, str(part))
        return Window(earliest=ends[PlanField.PLANNED_START], latest=ends[PlanField.PLANNED_END])

    def require_same(self, fields: Payload, draft: ChangeDraft, number: str) -> None:
        """Return only if the record says exactly what the draft says.

        Raises:
            PlanChangedError: A field reads otherwise; the message names it.
        """
        held = self.text(fields).fields()
        for name, text in draft.text.fields().items():
            if fold(held[name]) != fold(text):
                raise PlanChangedError(f"{number}: {name} does not read as it was drafted")
        for part, wanted in zip(_WINDOW, (draft.window.earliest, draft.window.latest), strict=True):
            one = self.native(part)
            if one is None or wanted is None:
                continue
            value = text_of(fields.get(one.id))
            drafted = instant(native_instant(wanted), str(part))
            is_same = bool(value) and instant(value, str(part)) == drafted
            if not is_same:
                raise PlanChangedError(f"{number}: {part} does not read as it was drafted")


_WINDOW = (PlanField.PLANNED_START, PlanField.PLANNED_END)
