"""The legal moves of our own change through its states, each read back.

ServiceNow answers some state writes with 200 and ignores them, coerces others to another state, and
refuses illegal ones with a 403 of its business rule: the reply's own state is what counts.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import ROW_STATES, map_or_raise
from connectors.servicenow.settings import ChangeSettings
from connectors.servicenow.snapshots import ChangeMapping
from engine.domain.change import ApprovalState, ChangeState, CloseCode
from engine.domain.refs import Account, ChangeRef
from engine.errors import (
    DoesNotFitError,
    InvalidAnswerError,
    MissingRightError,
    NotApprovedError,
    OutcomeUnknownError,
    PermanentError,
)

_TABLE = "change_request"
_FIELDS = ("sys_id", "number", "state", "approval", "on_hold", "sys_mod_count")
_TASK_OPEN = frozenset({"-5", "1", "2"})
_TASK_CLOSED = "3"
_LARGEST_NOTES = 4000
_PAST_NEW = frozenset(set(ChangeState) - {ChangeState.NEW, ChangeState.CANCELLED})
_CANCELLABLE = frozenset(
    {
        ChangeState.NEW,
        ChangeState.ASSESS,
        ChangeState.AUTHORIZE,
        ChangeState.SCHEDULED,
        ChangeState.IMPLEMENT,
    }
)


class Moves:
    """Moves changes of one instance."""

    def __init__(
        self, client: ServiceNowClient, mapping: ChangeMapping, settings: ChangeSettings
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._settings = settings
        self._native: Mapping[ChangeState, str] = {
            ChangeState.NEW: "-5",
            ChangeState.ASSESS: "-4",
            ChangeState.AUTHORIZE: "-3",
            ChangeState.SCHEDULED: "-2",
            ChangeState.IMPLEMENT: "-1",
            ChangeState.REVIEW: "0",
            ChangeState.CLOSED: "3",
            ChangeState.CANCELLED: "4",
        }

    def _read(self, ref: ChangeRef) -> Record:
        return self._client.read(_TABLE, ref.id, fields=_FIELDS)

    def _state(self, record: Record) -> ChangeState:
        return self._mapping.state(text(record, "state"))

    def _move(
        self, ref: ChangeRef, before: ChangeState, to: ChangeState, **values: str
    ) -> ChangeState:
        """Ask for a move and return the state that the reply shows.

        When the answer is lost the record is read: the move is not sent again, since the chain may
        have gone on from where it led.

        Raises:
            OutcomeUnknownError: The answer was lost and the record still stands where it was.
        """
        body = {"state": self._native[to], **values}
        try:
            reply = self._client.update(_TABLE, ref.id, body, fields=_FIELDS, is_repeatable=False)
        except OutcomeUnknownError:
            state = self._state(self._read(ref))
            if state is before:
                raise
            return state
        return self._state(reply)

    def submit(self, ref: ChangeRef, to: ChangeState) -> None:
        """Move from New; the chain may go on by itself at once, so any state behind New counts.

        Raises:
            InvalidAnswerError: Ignored.
            MissingRightError: Refused by a right or by a business rule, which the message names.
        """
        state = self._move(ref, ChangeState.NEW, to)
        if state not in _PAST_NEW:
            raise InvalidAnswerError(
                f"{ref}: asking for approval was answered with success and ignored (still {state})"
            )

    def begin(
        self, ref: ChangeRef, *, at: datetime, moved_by: Callable[[], Account | None]
    ) -> None:
        """Move from Scheduled to Implement.

        Raises:
            NotApprovedError: Not Scheduled, refused, ignored, or moved there by somebody else.
        """
        state = self._state(self._read(ref))
        if state is ChangeState.IMPLEMENT:
            mover, own = moved_by(), self._client.account()
            if mover is None or mover.identity != own.identity:
                raise NotApprovedError(f"{ref}: somebody else moved it to Implement")
            return
        if state is not ChangeState.SCHEDULED:
            raise NotApprovedError(f"{ref}: is {state}, not scheduled")
        try:
            state = self._move(ref, state, ChangeState.IMPLEMENT, work_start=q.instant(at))
        except MissingRightError as refused:
            raise NotApprovedError(
                f"{ref}: the move to Implement was refused: {refused}"
            ) from refused
        if state is not ChangeState.IMPLEMENT:
            raise NotApprovedError(f"{ref}: the move to Implement was ignored (still {state})")

    def close(self, ref: ChangeRef, *, code: CloseCode, notes: str, at: datetime) -> None:
        """Complete tasks, move to Review, move to Closed; go on from wherever it stands.

        A change that was closed or cancelled meanwhile is left as it is.

        Raises:
            DoesNotFitError: The notes are longer than their field.
            InvalidAnswerError: A move was ignored.
            PermanentError: The change is not under way at all.
        """
        if len(notes) > _LARGEST_NOTES:
            raise DoesNotFitError(f"close notes hold {_LARGEST_NOTES} characters, not {len(notes)}")
        state = self._state(self._read(ref))
        if state in {ChangeState.CLOSED, ChangeState.CANCELLED}:
            return
        if state not in {ChangeState.IMPLEMENT, ChangeState.REVIEW}:
            raise PermanentError(f"{ref}: is {state}, so it cannot be closed")
        self._complete_tasks(ref, code)
        if state is ChangeState.IMPLEMENT:
            state = self._move(ref, state, ChangeState.REVIEW, work_end=q.instant(at))
            if state is not ChangeState.REVIEW:
                raise InvalidAnswerError(f"{ref}: the move to Review was ignored (still {state})")
            # Leaving Implement can make review tasks; manual ones keep the change from closing.
            self._complete_tasks(ref, code)
        state = self._move(
            ref,
            state,
            ChangeState.CLOSED,
            close_code=self._settings.close_codes[code],
            close_notes=notes,
        )
        if state is not ChangeState.CLOSED:
            raise InvalidAnswerError(f"{ref}: the move to Closed was ignored (still {state})")

    def _complete_tasks(self, ref: ChangeRef, code: CloseCode) -> None:
        """Close the change's open tasks, except those that a person has taken."""
        own = self._client.account()
        rows, _ = self._client.all_rows(
            "change_task",
            q.equals("change_request", ref.id),
            fields=("change_request", "state", "assigned_to"),
        )
        for task in rows:
            is_free = text(task, "assigned_to") in {"", own.id}
            is_its = text(task, "change_request") == ref.id
            if not is_its or not is_free or text(task, "state") not in _TASK_OPEN:
                continue
            body = {
                "state": _TASK_CLOSED,
                "close_code": self._settings.close_codes[code],
                "close_notes": "Completed with the change by Tiergate.",
            }
            reply = self._client.update(
                "change_task", text(task, "sys_id"), body, fields=("sys_id", "state")
            )
            if text(reply, "state") != _TASK_CLOSED:
                raise InvalidAnswerError(f"{ref}: completing a change task was ignored")

    def cancel(self, ref: ChangeRef, *, reason: str) -> ChangeState:
        """Cancel; an end that people made (cancelled, closed, in review, rejected) stays.

        Returns where it stands then.

        Raises:
            InvalidAnswerError: Ignored.
        """
        record = self._read(ref)
        approval = map_or_raise(ROW_STATES, "change_request.approval", text(record, "approval"))
        state = self._state(record)
        if state not in _CANCELLABLE or approval is ApprovalState.REJECTED:
            return state
        state = self._move(ref, state, ChangeState.CANCELLED, close_notes=reason[:_LARGEST_NOTES])
        if state is not ChangeState.CANCELLED:
            raise InvalidAnswerError(f"{ref}: the cancellation was ignored (still {state})")
        return state
