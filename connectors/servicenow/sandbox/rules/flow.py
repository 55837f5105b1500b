"""The instance's own worker: steps that follow a write after its answer has been sent.

Every request begins by taking the steps that are due, so that a client sees the state between a
write and its consequences exactly once, and never has to wait for a timer.
"""

from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.records import AbortedError, Records
from connectors.servicenow.sandbox.rules import (
    accounts,
    approvals,
    catalog,
    changes,
    scripts,
    standard,
    tasks,
)

_STEPS: Mapping[str, Callable[[Records, str], None]] = {
    "change_request:approved": changes.approved,
    "change_request:rejected": changes.rejected,
    "change_request:advance": changes.advance,
    "sc_req_item:start": catalog.start,
    "sc_req_item:approved": catalog.fulfil,
    "sc_req_item:rejected": catalog.reject,
    "std_change_proposal:approved": standard.approved,
    "std_change_proposal:rejected": standard.rejected,
}
_MOST = 1000


def register(records: Records) -> None:
    """Put every rule of the sandbox in force."""
    accounts.register(records)
    tasks.register(records)
    changes.register(records)
    approvals.register(records)
    catalog.register(records)
    standard.register(records)
    scripts.register(records)


def run_due(records: Records) -> None:
    """Take every step that is due, and what follows from it while that is due too."""
    records.commit_due()
    if not records.store.has_jobs():
        return
    for _ in range(_MOST):
        with records.store.transaction():
            job = records.store.take_job(records.now())
            if job is None:
                return
            due, kind, subject = job
            step = _STEPS.get(kind)
            # Nobody has looked since it was due, so it happened then.
            with records.as_of(due):
                if step is None:
                    _plain(records, kind, subject)
                else:
                    _take(step, records, subject)


def _take(step: Callable[[Records, str], None], records: Records, subject: str) -> None:
    """A flow that a business rule aborts ends there, as it does on an instance."""
    try:
        step(records, subject)
    except AbortedError as error:
        records.insert("syslog", {"level": "2", "message": error.detail, "source": "flow"})


def _plain(records: Records, kind: str, subject: str) -> None:
    """Any other task only takes the decision over."""
    decision = kind.partition(":")[2]
    if decision in ("approved", "rejected") and records.read("task", subject) is not None:
        approvals.set_approval(records, subject, decision)
