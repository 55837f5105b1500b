"""The suite is worth something only if it fails: each planted defect must make it fail."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from connectors.servicenow import snapshots, sweep, tickets
from connectors.servicenow.answers import Rows
from connectors.servicenow.changes import ServiceNowChanges
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import map_or_raise
from connectors.servicenow.tickets import ServiceNowTickets
from engine.domain.change import ApprovalState, ChainState, ClaimResult
from engine.domain.refs import ChangeRef
from engine.domain.ticket import TicketState
from engine.errors import TiergateError
from engine.ports.changes import ChangeControl
from engine.ports.paging import Cursor, Page
from tests.contract import harness_servicenow, test_changes, test_desk, test_polling
from tests.contract.harness import Fault, Harness

Check = Callable[[Harness], None]
_SECOND = timedelta(seconds=1)


@pytest.fixture
def harness() -> Iterator[Harness]:
    """The real connector: the defects are planted into it."""
    with harness_servicenow.harness() as made:
        yield made


def requires_failure(check: Check, harness: Harness) -> None:
    """Return only if the check fails on the defective adapter."""
    try:
        check(harness)
    except (AssertionError, ValueError, TiergateError, pytest.fail.Exception):
        return
    raise AssertionError(f"{check.__name__} passed although a defect was planted")


def _desk(harness: Harness) -> ServiceNowTickets:
    assert isinstance(harness.desk, ServiceNowTickets)
    return harness.desk


def _changes(harness: Harness) -> ServiceNowChanges:
    assert isinstance(harness.changes, ServiceNowChanges)
    return harness.changes


class EmptyPageIsTheEnd:
    """A ChangeControl that takes an empty page for the end of the sweep."""

    def __init__(self, inner: ChangeControl) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        page = self._inner.changed_since(cursor, waiting)
        if page.items:
            return page
        at = page.cursor.horizon or page.cursor.at
        return Page(items=(), cursor=Cursor(at=at), is_last=True, server_now=page.server_now)


@pytest.mark.parametrize(
    "check",
    [
        test_changes.test_opening_twice_is_one_change,
        test_changes.test_a_change_whose_answer_was_lost_is_found_and_not_made_again,
    ],
)
def test_creating_without_looking_first_is_found_out(
    harness: Harness, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_change = _changes(harness).open

    def blind(draft: Any) -> ChangeRef:
        with monkeypatch.context() as patch:
            patch.setattr(_changes(harness), "find", lambda _: None)
            return open_change(draft)

    monkeypatch.setattr(_changes(harness), "open", blind)
    requires_failure(check, harness)


def test_writing_notes_without_looking_first_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journals, "_is_there", lambda *_: False)
    requires_failure(test_desk.test_a_work_note_is_internal_and_written_once, harness)


def test_an_unknown_ticket_state_read_as_a_default_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _desk(harness)._mapping._states
    lenient = defaultdict(lambda: TicketState.CANCELLED, known["incident"])
    monkeypatch.setitem(known, "incident", lenient)
    requires_failure(test_polling.test_a_broken_record_is_named_and_the_others_come, harness)


def test_an_unknown_approval_read_as_rejected_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(table: Mapping[str, Any], field: str, value: str) -> Any:
        if field.endswith("approval") and value not in table:
            return ApprovalState.REJECTED
        return map_or_raise(table, field, value)

    monkeypatch.setattr(snapshots, "map_or_raise", lenient)
    requires_failure(
        test_changes.test_a_value_that_no_table_knows_is_an_error_and_no_verdict, harness
    )


def test_an_empty_page_of_changes_taken_for_the_end_is_found_out(harness: Harness) -> None:
    harness.changes = EmptyPageIsTheEnd(harness.changes)
    requires_failure(test_changes.test_a_sweep_names_a_change_whose_plan_a_person_edited, harness)


def test_an_empty_page_of_tickets_taken_for_the_end_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(
        client: ServiceNowClient, table: str, query: str, fields: Sequence[str], limit: int
    ) -> tuple[Rows, bool, int]:
        rows = client.rows(table, query, fields=fields, limit=limit)
        return rows, len(rows.records) < limit, 0

    monkeypatch.setattr(sweep, "_visible", naive)
    requires_failure(test_polling.test_hidden_tickets_do_not_end_a_sweep_early, harness)


def test_a_cursor_without_the_id_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweep.read_page

    def without_id(*args: Any, **kwargs: Any) -> sweep.SweepPage:
        page = real(*args, **kwargs)
        return sweep.SweepPage(
            records=page.records,
            at=page.at + _SECOND,
            id="",
            is_last=page.is_last,
            hidden=page.hidden,
            server_now=page.server_now,
        )

    monkeypatch.setattr(tickets, "read_page", without_id)
    requires_failure(test_polling.test_tickets_of_the_same_instant_all_come, harness)


def test_a_sweep_without_overlap_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _desk(harness)._settings
    monkeypatch.setattr(
        _desk(harness), "_settings", settings.model_copy(update={"overlap": _SECOND * 0})
    )
    requires_failure(
        test_polling.test_a_ticket_that_becomes_visible_late_is_met_by_the_next_sweep, harness
    )


def test_an_approval_judged_by_the_state_alone_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "judge_chain", lambda *_: ChainState.COMPLETE)
    requires_failure(test_changes.test_a_pending_change_is_not_approved, harness)


def test_a_claim_that_anybody_wins_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_changes(harness), "claim", lambda *_, **__: ClaimResult.WON)
    requires_failure(test_changes.test_a_claim_is_won_once_and_recognised_again, harness)


def test_an_answer_cut_off_by_a_quota_taken_whole_is_found_out(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _changes(harness)._client.session
    desk = _desk(harness)._client.session
    for one in (session, desk):
        monkeypatch.setattr(one, "_inspect", lambda *_: None)

    def check(harness: Harness) -> None:
        test_polling.test_a_failure_is_never_an_empty_page(harness, Fault.TRUNCATE)

    requires_failure(check, harness)
