"""Everything that is read of one change before it is judged."""

from collections.abc import Sequence

from connectors.servicenow import evidence
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import CHANGE_KINDS
from connectors.servicenow.plan_tasks import WATCHED, PlanTasks
from connectors.servicenow.snapshots import (
    SNAPSHOT_FIELDS,
    ChangeMapping,
    RawChange,
    Standard,
)
from connectors.servicenow.standard import StandardChanges
from engine.domain.change import ChangeSnapshot
from engine.domain.decision import ChangeKind
from engine.domain.refs import ChangeRef
from engine.errors import TransientError

_TABLE = "change_request"
_STEADY_READS = 4
CHANGE_FIELDS = (*SNAPSHOT_FIELDS, "std_change_producer_version", "sys_created_by")
"""What is read of a change; the version's column is the catalogue plugin's, so it may be absent."""


class ChangeReader:
    """Reads changes of one instance whole."""

    def __init__(
        self,
        client: ServiceNowClient,
        mapping: ChangeMapping,
        accounts: Accounts,
        standard: StandardChanges,
        tasks: PlanTasks,
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._accounts = accounts
        self._standard = standard
        self._tasks = tasks

    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return record, approval rows and history as of one version of the record.

        Raises:
            RecordNotFoundError: The record is gone, or hidden.
            TransientError: The record kept changing while it was read.
        """
        daemon = self._client.account()
        for _ in range(_STEADY_READS):
            raw = self._raw(ref)
            again = self._client.read(_TABLE, ref.id, fields=("sys_id", "sys_mod_count"))
            if text(again, "sys_mod_count") == text(raw.record, "sys_mod_count"):
                return self._mapping.snapshot(raw, daemon)
        raise TransientError(f"{ref}: kept changing while it was read")

    def _raw(self, ref: ChangeRef) -> RawChange:
        record = self._client.read(_TABLE, ref.id, fields=CHANGE_FIELDS)
        rows, hidden = evidence.approval_rows(self._client, ref.id)
        audit = evidence.history(self._client, _TABLE, [ref.id])
        ids = [text(row, "sys_id") for row in rows]
        row_audit = evidence.history(self._client, evidence.APPROVALS, ids)
        standard = None
        if text(record, "type") == CHANGE_KINDS[ChangeKind.STANDARD]:
            standard = self._standard_part(ref, record, audit or ())
        tasks = standard.task_audit if standard else ()
        names = {text(row, "sys_updated_by") for row in rows}
        names |= {text(row, "user") for row in (*(audit or ()), *(row_audit or ()), *(tasks or ()))}
        return RawChange(
            record=record,
            rows=rows,
            # A hidden approval row could be an open or a rejecting one, and with its history hidden
            # its last writer would pass for who decided: the gate stays shut.
            audit=None if hidden or row_audit is None else audit,
            row_audit=row_audit,
            users=self._accounts.by_user_name(names),
            taken_at=self._client.server_now(),
            standard=standard,
        )

    def _standard_part(self, ref: ChangeRef, record: Record, audit: Sequence[Record]) -> Standard:
        plan = self._tasks.read(ref, text(record, "correlation_id"))
        entries = evidence.history(self._client, "change_task", plan.ids)
        told = {text(entry, "documentkey") for entry in entries or ()}
        is_told = entries is not None and not plan.hidden and plan.rewritten <= told
        moves = [
            entry
            for entry in audit
            if text(entry, "fieldname") == "state"
            and text(entry, "newvalue") == text(record, "state")
        ]
        return Standard(
            plan=plan.text,
            task_audit=tuple(one for one in entries if text(one, "fieldname") in WATCHED)
            if is_told and entries is not None
            else None,
            preapproval=self._standard.preapproval(
                record, mover=text(moves[-1], "user") if moves else ""
            ),
        )
