"""A draft as the values of a new change request."""

from collections.abc import Mapping

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.mapping import CHANGE_KINDS
from connectors.servicenow.settings import ChangeSettings
from connectors.servicenow.severity import SEVERITY, severity_of
from connectors.servicenow.snapshots import LARGEST, TEXT_FIELDS
from engine.domain.decision import ChangeKind
from engine.domain.plan import ChangeDraft
from engine.errors import ConfigurationError, DoesNotFitError

MARK = "Tiergate"
"""`correlation_display` of every change of ours: what a sweep asks for."""
_CORRELATION_LIMIT = 100
NATIVE = frozenset(
    {
        "risk", "impact", "urgency", "priority", "scope", "category", "reason", "assignment_group",
        "cmdb_ci", "business_service", "service_offering", "production_system", "cab_required",
        "outside_maintenance_schedule", "company", "location", "chg_model",
    }
)  # fmt: skip
"""The fields that decide who approves natively and that an action's map entry may set.

State, approval, approvers, texts, window and identity are not among them.
"""


class DraftMapping:
    """Maps drafts for one instance; group names are looked up there."""

    def __init__(self, system: str, settings: ChangeSettings, accounts: Accounts) -> None:
        self._system = system
        self._settings = settings
        self._accounts = accounts

    def values(self, draft: ChangeDraft) -> Mapping[str, str]:
        """Return every field of the new record; nothing is cut.

        Raises:
            DoesNotFitError: A text is longer than its field.
            ConfigurationError: The map sets a native field that it may not.
        """
        texts = self._texts(draft)
        if draft.kind is ChangeKind.STANDARD:
            # The template's texts come over ours, and stay: the plan stands on change tasks.
            texts = {"short_description": texts["short_description"]}
        values = {**texts, **self._native(draft)}
        values |= {
            "type": CHANGE_KINDS[draft.kind],
            "correlation_id": draft.correlation_id,
            "correlation_display": MARK,
        }
        if len(draft.correlation_id) > _CORRELATION_LIMIT:
            raise DoesNotFitError(f"correlation_id holds {_CORRELATION_LIMIT} characters")
        if model := self._settings.models.get(draft.kind):
            values.setdefault("chg_model", model)
        if draft.window.earliest is not None:
            values["start_date"] = q.instant(draft.window.earliest)
        if draft.window.latest is not None:
            values["end_date"] = q.instant(draft.window.latest)
        if draft.requested_by is not None and draft.requested_by.system == self._system:
            values["requested_by"] = draft.requested_by.id
        if draft.ticket.system == self._system:
            values["parent"] = draft.ticket.id
        return values

    def _texts(self, draft: ChangeDraft) -> dict[str, str]:
        texts = draft.text.fields()
        for name, limit in LARGEST.items():
            if len(texts[name]) > limit:
                raise DoesNotFitError(
                    f"{TEXT_FIELDS[name]} holds {limit} characters, the plan has {len(texts[name])}"
                )
        return {native: texts[name] for name, native in TEXT_FIELDS.items()}

    def _native(self, draft: ChangeDraft) -> dict[str, str]:
        odd = sorted(name for name in draft.native if name not in NATIVE and name[:2] != "u_")
        if odd:
            raise ConfigurationError(
                f"{self._system}: a change's {', '.join(odd)} cannot be set by the tier map"
            )
        # Risk and impact are raised once the instance has calculated its own; see `severity`.
        severity_of(draft)
        values = {name: value for name, value in draft.native.items() if name not in SEVERITY}
        group = (
            values.get("assignment_group")
            or self._settings.assignment_group
            or draft.authority_group
        )
        # New -> Assess is refused without an assignment group (observed on developer instances).
        values["assignment_group"] = self._accounts.group_id(group)
        return values
