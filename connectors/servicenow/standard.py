"""Standard changes: made from the pinned version of a template, and what their approval rests on.

The plugin Standard Change Catalog keeps the catalogue item (`std_change_record_producer`, with its
`current_version`), the values (`std_change_template`), one record per version
(`std_change_producer_version`), and the proposal whose approval made that version
(`std_change_proposal`, a task with approval rows of its own).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.servicenow import evidence
from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import ROW_STATES, map_or_raise
from connectors.servicenow.snapshots import ChangeMapping
from connectors.servicenow.surroundings import ENGINE
from engine.domain.change import ApprovalRow, ApprovalState, FieldEdit, Preapproval
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account
from engine.errors import ConfigurationError, PreconditionError, RecordNotFoundError

_PRODUCER = "std_change_record_producer"
_VERSION = "std_change_producer_version"
_TEMPLATE = "std_change_template"
_PROPOSAL = "std_change_proposal"
_FIELDS: Mapping[str, tuple[str, ...]] = {
    _PRODUCER: ("sys_id", "name", "active", "retired", "current_version", "template"),
    _VERSION: ("sys_id", "std_change_producer", "std_change_proposal", "version", "active"),
    _TEMPLATE: ("sys_id", "template", "active", "sys_updated_on", "sys_updated_by"),
    _PROPOSAL: ("sys_id", "number", "approval", "closed_at", "template_value"),
}
_WATCHED: Mapping[str, tuple[str, frozenset[str]]] = {
    _PRODUCER: ("template", frozenset({"template", "current_version"})),
    _TEMPLATE: ("template", frozenset({"template"})),
    _VERSION: ("version", frozenset({"std_change_producer", "std_change_proposal", "version"})),
    _PROPOSAL: ("proposal", frozenset({"template_value"})),
}
"""Table -> our word, and the columns that say what is approved; counters are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The four records behind one version; an empty record is one that is not there, or hidden."""

    producer: Record
    version: Record
    template: Record
    proposal: Record

    @property
    def content(self) -> str:
        """What the template writes into a change; older instances keep it on the item itself."""
        return text(self.template, "template") or text(self.producer, "template")

    @property
    def is_retired(self) -> bool:
        """Whether any of them is out of use."""
        return (
            text(self.producer, "active") != "true"
            or text(self.producer, "retired") == "true"
            or text(self.version, "active") == "false"
            or text(self.template, "active") == "false"
        )

    @property
    def is_as_proposed(self) -> bool:
        """Whether the template writes exactly what the proposal proposed."""
        proposed = terms(text(self.proposal, "template_value"))
        return bool(proposed) and proposed == terms(self.content)

    def tables(self) -> Mapping[str, Record]:
        """Return the records by their tables."""
        return {
            _PRODUCER: self.producer,
            _VERSION: self.version,
            _TEMPLATE: self.template,
            _PROPOSAL: self.proposal,
        }


class StandardChanges:
    """Makes standard changes of one instance, and reads what approved them."""

    def __init__(
        self, client: ServiceNowClient, mapping: ChangeMapping, accounts: Accounts
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._accounts = accounts

    # --- making
    def create(self, draft: ChangeDraft, values: Mapping[str, str]) -> str:
        """Make a change from the pinned version and return its sys_id.

        The vendor makes it from the version that is current at that instant; `submit` compares what
        came of it with the pin once more.

        Raises:
            PreconditionError: The pinned version is not the current one, or is out of use.
            OutcomeUnknownError: The create got no answer.
        """
        self.require_in_force(draft)
        return self._client.create_standard(draft.template, values)

    def require_in_force(self, draft: ChangeDraft) -> None:
        """Return only if a change made now would be made from the pinned version.

        Raises:
            ConfigurationError: The draft pins nothing.
            PreconditionError: Another version, or none, is in force.
        """
        if not draft.template or not draft.template_version:
            raise ConfigurationError(
                f"{self._client.name}: a standard change needs the pinned version of its template"
            )
        found = self.standing(draft.template_version)
        if text(found.version, "std_change_producer") != draft.template or found.is_retired:
            raise PreconditionError(
                f"{self._client.name}: the pinned template of the standard change is not in use"
            )
        if text(found.producer, "current_version") != draft.template_version:
            raise PreconditionError(
                f"{self._client.name}: the pinned version of the standard change's template is not"
                " the current one"
            )

    # --- reading
    def standing(self, version_id: str) -> Standing:
        """Return the records behind a version, read afresh."""
        version = self._record(_VERSION, version_id)
        producer = self._record(_PRODUCER, text(version, "std_change_producer"))
        return Standing(
            version=version,
            producer=producer,
            template=self._record(_TEMPLATE, text(producer, "template")),
            proposal=self._record(_PROPOSAL, text(version, "std_change_proposal")),
        )

    def _record(self, table: str, sys_id: str) -> Record:
        if not q.is_sys_id(sys_id):
            return {}
        try:
            return self._client.read(table, sys_id, fields=_FIELDS[table])
        except RecordNotFoundError:
            return {}

    def preapproval(self, record: Record, mover: str) -> Preapproval:
        """Return what this standard change rests on; `mover` is who moved it where it stands."""
        found = self.standing(text(record, "std_change_producer_version"))
        proposal = text(found.proposal, "sys_id")
        rows, hidden_rows = evidence.approval_rows(self._client, proposal) if proposal else ((), 0)
        ids = [text(row, "sys_id") for row in rows]
        row_audit = evidence.history(self._client, evidence.APPROVALS, ids)
        audits = {
            table: evidence.history(self._client, table, [text(one, "sys_id")] if one else [])
            for table, one in found.tables().items()
        }
        users = self._users((*rows, found.template), [*audits.values(), row_audit])
        approvals = self._mapping.approval_rows(rows, row_audit, users)
        is_readable = not hidden_rows and None not in (row_audit, *audits.values())
        return Preapproval(
            template=text(found.version, "std_change_producer"),
            version=text(found.version, "sys_id"),
            current=text(found.producer, "current_version"),
            proposal=text(found.proposal, "sys_id"),
            is_approved=_is_approved(found.proposal, approvals),
            is_retired=found.is_retired,
            is_as_proposed=found.is_as_proposed,
            is_moved_by_engine=mover == ENGINE,
            settled_at=q.parse_instant(text(found.proposal, "closed_at")),
            approvals=approvals,
            edits=self._edits(found, audits, users) if is_readable else None,
        )

    def _users(
        self, rows: Iterable[Record], audits: Iterable[tuple[Record, ...] | None]
    ) -> Mapping[str, Account]:
        names = {text(row, "sys_updated_by") for row in rows}
        for audit in audits:
            names |= {text(entry, "user") for entry in audit or ()}
        return self._accounts.by_user_name(names)

    def _edits(
        self,
        standing: Standing,
        audits: Mapping[str, tuple[Record, ...] | None],
        users: Mapping[str, Account],
    ) -> tuple[FieldEdit, ...]:
        found: list[FieldEdit] = []
        for table, entries in audits.items():
            word, watched = _WATCHED[table]
            kept = [one for one in entries or () if text(one, "fieldname") in watched]
            found += self._mapping.edits(kept, users, word=word)
        told = audits[_TEMPLATE] or ()
        found += _unaudited(self._client.name, standing.template, told, users)
        return tuple(sorted(found, key=lambda one: one.at))


def terms(encoded: str) -> frozenset[str]:
    """Return the values of an encoded template, whatever their order."""
    return frozenset(part for part in encoded.split("^") if part and part != "EQ")


def _is_approved(proposal: Record, rows: Sequence[ApprovalRow]) -> bool:
    if not proposal:
        return False
    rollup = map_or_raise(ROW_STATES, "std_change_proposal.approval", text(proposal, "approval"))
    open_states = {ApprovalState.REQUESTED, ApprovalState.REJECTED}
    return rollup is ApprovalState.APPROVED and not any(row.state in open_states for row in rows)


def _unaudited(
    system: str, template: Record, audit: Sequence[Record], users: Mapping[str, Account]
) -> tuple[FieldEdit, ...]:
    """Return the last write to a template as an edit, where no history tells of it.

    Templates are not audited on every instance: then the record's own time of update is all there
    is, and whether what was written was written back cannot be told.
    """
    at = q.parse_instant(text(template, "sys_updated_on"))
    stamps = {q.parse_instant(text(one, "sys_created_on")) for one in audit}
    if at is None or at in stamps:
        return ()
    by = users.get(text(template, "sys_updated_by"))
    return (FieldEdit(field="template", old="", new=f"unaudited in {system}", by=by, at=at),)
