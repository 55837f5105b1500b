"""Everything the verdict needs of one change, read afresh: record, approvals, history."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.jira.chain import judge
from connectors.jira.client import JiraClient
from connectors.jira.history import Edit, Visit, field_edits, visits
from connectors.jira.links import Links
from connectors.jira.mapping import CHANGE_STATES, Approval, NameMap
from connectors.jira.moves import Status, status_of
from connectors.jira.notes import Notes
from connectors.jira.opening import Opening
from connectors.jira.own_changes import CHANGE, listing_text
from connectors.jira.plan_form import PlanForm
from connectors.jira.records import Found, Records, found
from connectors.jira.settings import ChangeSettings, GateMode
from connectors.jira.values import instant, mapping, text_of
from engine.domain.change import ChainState, ChangeSnapshot, ChangeState
from engine.domain.refs import ChangeRef
from engine.errors import InvalidAnswerError, MissingRightError, RecordNotFoundError, TransientError

_TRIES = 3
_BASE = (
    "summary", "status", "labels", "reporter", "creator", "assignee", "created", "updated",
    "issuetype", "project", "resolution",
)  # fmt: skip
_ENDED = frozenset({ChangeState.REJECTED, ChangeState.CANCELLED})


class Snapshots:
    """Takes snapshots of one site's changes."""

    def __init__(
        self,
        client: JiraClient,
        records: Records,
        links: Links,
        notes: Notes,
        opening: Opening,
        form: PlanForm,
        settings: ChangeSettings,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._records = records
        self._links = links
        self._notes = notes
        self._opening = opening
        self._form = form
        self._settings = settings
        self.states = NameMap("change.status", CHANGE_STATES, settings.statuses)

    def fields(self, issue_id: str) -> Found:
        """Return the record as it is now, read directly.

        Raises:
            RecordNotFoundError: It is gone.
        """
        wanted = ",".join((*_BASE, *self._opening.fields_to_read()))
        params = {"fields": wanted, "expand": "changelog"}
        return found(mapping(self._client.get(f"issue/{issue_id}", params), "issue"))

    def state(self, one: Found) -> ChangeState:
        """Return the record's state.

        Raises:
            UnmappedValueError: A status that no table knows.
        """
        status = status_of(one.fields.get("status"))
        return self.states(status.id, status.name)

    def approvals(self, issue_id: str) -> tuple[Approval, ...] | None:
        """Return the approvals of all passes; None where the status itself is the gate."""
        if self._settings.mode is GateMode.STATUS:
            return None
        return self._records.approvals(issue_id)

    def take(self, ref: ChangeRef, *, hold_label: str) -> ChangeSnapshot:
        """Return everything in one go; read again where the record moved in between.

        Raises:
            RecordNotFoundError: The record is gone.
            TransientError: It moved during every try.
            InvalidAnswerError: Its status does not follow from its history.
        """
        is_torn = False
        for _ in range(_TRIES):
            one = self.fields(ref.id)
            approvals = self._readable_approvals(ref, one)
            history = self._readable_history(one)
            stays = self._stays(one, history)
            is_torn = self.fields(ref.id).updated_at != one.updated_at
            if not is_torn:
                return self._snapshot(ref, one, approvals, (history, stays), hold_label)
        raise TransientError(f"{ref}: it changed while it was read")

    def _readable_approvals(self, ref: ChangeRef, one: Found) -> tuple[Approval, ...] | None:
        try:
            return self.approvals(one.id)
        except RecordNotFoundError:
            raise MissingRightError(
                f"{ref}: its approvals cannot be read: it is no request any more, or the account"
                " lost the agent role"
            ) from None

    def _readable_history(self, one: Found) -> tuple[Edit, ...] | None:
        try:
            return self._records.history(one)
        except (MissingRightError, InvalidAnswerError, RecordNotFoundError):
            return None

    def _stays(self, one: Found, history: Sequence[Edit] | None) -> tuple[Visit, ...] | None:
        if history is None:
            return None
        status = status_of(one.fields.get("status"))
        return visits(
            history,
            created_at=instant(one.fields.get("created"), "created"),
            creator=self._client.account(one.fields.get("creator")),
            current=(status.id, status.name),
        )

    def _snapshot(
        self,
        ref: ChangeRef,
        one: Found,
        approvals: Sequence[Approval] | None,
        past: tuple[tuple[Edit, ...] | None, tuple[Visit, ...] | None],
        hold_label: str,
    ) -> ChangeSnapshot:
        history, stays = past
        status = status_of(one.fields.get("status"))
        state = self.states(status.id, status.name)
        judged = judge(
            stays or (_only(one, status),),
            approvals,
            state_of=self.states,
            steps=self._settings.steps,
        )
        held_by = _labelled_by(history, hold_label)
        is_held = hold_label.casefold() in {
            label.casefold() for label in listing_text(one.fields.get("labels"))
        }
        identity = self._links.property(ref.id, CHANGE) or {}
        return ChangeSnapshot(
            ref=ChangeRef(system=ref.system, id=one.id, number=one.key, url=ref.url),
            taken_at=self._client.server_now(),
            state=state,
            native_state=status.name,
            chain=judged.chain,
            rollup=judged.rollup,
            is_on_hold=is_held,
            on_hold_reason=f"label {hold_label}{held_by}" if is_held else "",
            correlation_id=text_of(identity.get("correlation")),
            text=self._form.text(one.fields),
            window=self._form.window(one.fields),
            approvals=judged.rows,
            history=None
            if history is None or stays is None
            else field_edits(history, self._form.words()),
            moved_by=stays[-1].entered_by if stays else None,
            daemon=self._client.me(),
            version=_version(one, approvals or ()),
            reason=self._reason(one, stays, state, judged.chain),
        )

    def _reason(
        self,
        one: Found,
        stays: Sequence[Visit] | None,
        state: ChangeState,
        chain: ChainState,
    ) -> str:
        """Return what the person who ended the change wrote last before or with it."""
        if not stays or (state not in _ENDED and chain is not ChainState.REJECTED):
            return ""
        by = stays[-1].entered_by
        if by is None:
            return ""
        said = [
            note.body
            for note in self._notes.all(one.id)
            if note.author is not None and note.author.identity == by.identity
        ]
        return said[-1] if said else text_of(one.fields.get("resolution"))


def _only(one: Found, status: Status) -> Visit:
    """Return the one stay that is known where the history cannot be read: it proves nothing."""
    return Visit(
        status_id=status.id, status=status.name, entered_at=one.updated_at, entered_by=None
    )


def _labelled_by(history: Sequence[Edit] | None, label: str) -> str:
    for edit in reversed(history or ()):
        is_it = edit.field == "labels" and label in edit.new.split()
        if is_it and label not in edit.old.split() and edit.by is not None:
            return f", set by {edit.by.name}"
    return ""


def votes_digest(approvals: Sequence[Approval]) -> str:
    """Return a text that changes with every vote; the record's own time of update does not."""
    held: list[Mapping[str, Any]] = [
        {
            "id": one.id,
            "final": str(one.final),
            "votes": sorted((vote.approver.id, str(vote.state)) for vote in one.votes),
        }
        for one in approvals
    ]
    return hashlib.sha256(repr(held).encode()).hexdigest()[:16]


def _version(one: Found, approvals: Sequence[Approval]) -> str:
    return f"{one.updated_at.isoformat(timespec='milliseconds')}#{votes_digest(approvals)}"
