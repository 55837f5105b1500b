"""Rows that say who approved and who edited what; what is hidden is said.

Approval rows stand in `sysapproval_approver`, edits of audited columns in `sys_audit` (ServiceNow
docs, "History sets and audit"). Neither shows that a row is missing: ServiceNow counts rows before
it hides them, so the announced count tells.
"""

from collections.abc import Iterable, Sequence

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from engine.errors import MissingRightError

APPROVALS = "sysapproval_approver"
_APPROVAL = (
    "sys_id", "approver", "state", "sysapproval", "document_id", "group", "iteration",
    "sys_created_on", "sys_updated_on", "sys_updated_by", "comments",
)  # fmt: skip
_EDIT = (
    "sys_id", "documentkey", "fieldname", "oldvalue", "newvalue", "user", "sys_created_on",
    "record_checkpoint",
)  # fmt: skip


def approval_rows(client: ServiceNowClient, task: str) -> tuple[tuple[Record, ...], int]:
    """Return the approval rows of a task, and how many of the answer were hidden."""
    # Which column points at the task depends on the instance; together nothing is missed.
    rows, hidden = client.all_rows(
        APPROVALS,
        q.either(q.equals("sysapproval", task), q.equals("document_id", task)),
        fields=_APPROVAL,
    )
    # A dropped term would bring everybody's rows.
    ours = (row for row in rows if task in {text(row, "sysapproval"), text(row, "document_id")})
    return tuple(ours), hidden


def history(
    client: ServiceNowClient, table: str, ids: Iterable[str], *, field: str = ""
) -> tuple[Record, ...] | None:
    """Return the edits of these records (or of one field), oldest first; None when some are hidden.

    Empty where there were none, or where the instance does not audit the table.
    """
    wanted = frozenset(ids)
    base = q.both(q.equals("tablename", table), q.equals("fieldname", field) if field else "")
    rows, hidden = client.rows_of("sys_audit", "documentkey", wanted, fields=_EDIT, base=base)
    if hidden:
        return None
    found = (row for row in rows if not field or text(row, "fieldname") == field)
    return in_order([row for row in found if text(row, "documentkey") in wanted])


def last_edit(client: ServiceNowClient, table: str, record: str, field: str) -> Record | None:
    """Return the newest edit of one field; None where there was none, or none is kept.

    Raises:
        MissingRightError: Some of them are hidden from us.
    """
    edits = history(client, table, [record], field=field)
    if edits is None:
        raise MissingRightError(
            f"{client.name}: some of the history of {table}.{field} is hidden (sys_audit)"
        )
    return edits[-1] if edits else None


def in_order(edits: Sequence[Record]) -> tuple[Record, ...]:
    """Return edits oldest first, also those of one second."""
    return tuple(
        sorted(
            edits,
            key=lambda row: (
                text(row, "sys_created_on"),
                number(text(row, "record_checkpoint")),
                text(row, "sys_id"),
            ),
        )
    )


def number(value: str) -> int:
    """Return a whole number as ServiceNow stores it, 0 where there is none."""
    return int(value) if value.isdecimal() else 0
