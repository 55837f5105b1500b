"""ChangeControl on Jira: change requests of Jira Service Management with their native approvals.

In mode `status`, plain issues whose approval is the move out of a status. Nothing here answers an
approval or writes approvers after a change was submitted.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.jira.adoption import Adoption
from connectors.jira.change_files import ChangeFiles
from connectors.jira.changes_check import check_changes
from connectors.jira.claims import Claims
from connectors.jira.client import JiraClient
from connectors.jira.groups import memberships
from connectors.jira.links import Links
from connectors.jira.moves import MoveIgnoredError, Moves, Status
from connectors.jira.neighbours import Among, naming
from connectors.jira.notes import Notes
from connectors.jira.opening import Opening
from connectors.jira.own_changes import LABEL, OwnChanges
from connectors.jira.plan_form import PlanForm
from connectors.jira.polling import Poller, Sweep
from connectors.jira.records import Found, Records
from connectors.jira.settings import Approvers, ChangeSettings, GateMode, JiraSettings
from connectors.jira.site import REQUEST_TYPE, Site
from connectors.jira.snapshots import Snapshots, votes_digest
from connectors.jira.values import quoted
from engine.domain.change import ChangeSnapshot, ChangeState, ClaimResult, CloseCode, Membership
from engine.domain.decision import TemplatePin, Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.schedule import NativeSchedule
from engine.errors import (
    NotApprovedError,
    PreconditionError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.changes import OpenedChange
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.paging import Cursor, Page

_STARTED = "tiergate.implementation"
_OVER = frozenset({ChangeState.CLOSED, ChangeState.CANCELLED, ChangeState.REJECTED})
_BEFORE = frozenset({ChangeState.NEW, ChangeState.ASSESS})


class JiraChangeControl:
    """The changes of one Jira site. The constructor does no I/O."""

    def __init__(
        self,
        name: str,
        settings: JiraSettings,
        changes: ChangeSettings,
        client: JiraClient,
        site: Site,
        clock: Clock,
    ) -> None:
        """Keep what is needed."""
        self._name = name
        self._settings = settings
        self._changes = changes
        self._client = client
        self._site = site
        self._clock = clock
        self._records = Records(client, site, settings)
        self._links = Links(client)
        self._notes = Notes(client, site)
        self._files = ChangeFiles(client)
        self._moves = Moves(client)
        self._form = PlanForm(client, site, changes)
        self._adoption = Adoption(
            client, site, self._records, self._links, changes, hold_label=settings.hold_label
        )
        self._own = OwnChanges(client, site, self._links, self._form, self._adoption, changes)
        self._opening = Opening(
            client, site, self._links, self._form, self._adoption, self._own, changes
        )
        self._snapshots = Snapshots(
            client, self._records, self._links, self._notes, self._opening, self._form, changes
        )
        self._claims = Claims(self._links)
        self._poller = Poller(client, overlap=settings.overlap, page_size=settings.page_size)
        self._lock = threading.Lock()
        self._votes: dict[str, str] = {}
        self._turn = ""

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._name

    @property
    def has_templates(self) -> bool:
        """Jira knows no templates with an approval of their own: every change is approved."""
        return False

    def check_template(self, pin: TemplatePin) -> tuple[Finding, ...]:
        """Return that a standard change is asked for like a normal one here."""
        return (
            Finding(
                severity=Severity.OK,
                code=f"template:{pin.id}",
                system=self._name,
                seen="no standard changes here: its changes are opened as normal ones",
            ),
        )

    # --- opening

    def find(self, correlation_id: str) -> ChangeRef | None:
        """Return the change that carries this correlation id, compared on what was read back."""
        issue_id = self._own.find(correlation_id)
        return None if issue_id is None else self._ref(self._snapshots.fields(issue_id))

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find, else create; see `opening` for what makes it exactly one."""
        return self._ref(self._snapshots.fields(self._opening.open(draft)))

    def complete(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Finish what an opening that was cut off left undone; see `opening`."""
        self._opening.complete(ref.id, draft)

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Take the change to the status where its approvers are asked.

        Raises:
            PlanChangedError: The record does not say what the draft says.
            PreconditionError: It has ended, or no transition leads to the approval.
            TransientError: The site's automation has not named the approvers yet.
        """
        one = self._snapshots.fields(ref.id)
        self._form.require_same(one.fields, draft, one.key)
        state = self._snapshots.state(one)
        if state in _OVER:
            raise PreconditionError(f"{ref}: it has ended already ({state})")
        if state not in _BEFORE:
            self._adoption.require_asked_by_us(ref.id)
            return
        self._require_approvers(one)
        self._move(
            one.id, goal={ChangeState.AUTHORIZE}, through={ChangeState.NEW, ChangeState.ASSESS}
        )

    def _require_approvers(self, one: Found) -> None:
        """Refuse to ask nobody: an approval without approvers waits for ever."""
        if self._changes.mode is GateMode.STATUS:
            return
        fields = self._opening.approver_fields()
        readable = [field for field in fields if field.id in one.fields]
        if readable and not any(one.fields.get(field.id) for field in readable):
            who = (
                "the site's automation has not named them yet"
                if self._changes.approvers is Approvers.AUTOMATION
                else "they were set and are gone"
            )
            raise TransientError(f"{self._name} {one.key}: it has no approvers; {who}")

    # --- reading

    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return record, approvals of the current pass and history, read afresh in one go."""
        return self._snapshots.take(ref, hold_label=self._settings.hold_label)

    def ahead(self, window: Window, native: Mapping[str, str]) -> NativeSchedule:
        """Return nothing: Jira's change calendar has no public REST (only the tier map freezes)."""
        del window, native  # there is nothing to ask
        return NativeSchedule()

    def naming(self, names: tuple[str, ...], window: Window) -> tuple[str, ...]:
        """Return other people's open changes that name one of these; see `neighbours`."""
        origin = self._site.custom(REQUEST_TYPE)
        among = Among(
            project=self._changes.project,
            fields=() if origin is None else (origin.id,),
            is_change=lambda fields: self._own.may_be_change(fields, origin),
        )
        return naming(self._client, self._form, among, names, window)

    def first_cursor(self) -> Cursor:
        """Return the site's now."""
        self._client.verify_session()
        return Cursor(at=self._client.server_now())

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        """Return which of our changes changed: by the index, and a few votes read directly.

        No index shows votes, so at the end of every sweep a fixed number of the waiting changes
        are asked in turn. A vote that ends an approval moves the record and is seen at once.
        """
        origin = self._site.custom(REQUEST_TYPE)
        fields = ("updated", "status", "labels", *(() if origin is None else (origin.id,)))
        project = quoted(self._changes.project)
        sweep = Sweep(jql=f"project = {project} AND {self._whose()}", fields=fields)
        swept = self._poller.next_page(sweep, cursor)
        found = {
            one.id: self._ref(one)
            for one in swept.issues
            if self._own.is_change(one.fields, origin)
        }
        if swept.is_last and self._changes.mode is GateMode.APPROVALS:
            found |= {ref.id: ref for ref in self._voted(waiting) if ref.id not in found}
        return Page(
            items=tuple(found.values()),
            cursor=swept.cursor,
            is_last=swept.is_last,
            server_now=swept.server_now,
            broken=swept.broken,
        )

    def _whose(self) -> str:
        """Return the JQL of what may be a change of ours: made by us, or adopted."""
        ours = "creator = currentUser()"
        return f"({ours} OR labels = {quoted(LABEL)})" if self._adoption.is_on else ours

    def _voted(self, waiting: tuple[ChangeRef, ...]) -> list[ChangeRef]:
        """Return those of the next few waiting changes whose votes differ from the last look."""
        ordered = sorted(waiting, key=lambda ref: (len(ref.id), ref.id))
        with self._lock:
            last = (len(self._turn), self._turn)
            ahead = [ref for ref in ordered if (len(ref.id), ref.id) > last]
            chosen = [*ahead, *ordered[: len(ordered) - len(ahead)]][: self._changes.votes]
            if chosen:
                self._turn = chosen[-1].id
            known = {ref.id for ref in waiting}
            self._votes = {key: held for key, held in self._votes.items() if key in known}
        differing: list[ChangeRef] = []
        for ref in chosen:
            try:
                now = votes_digest(self._snapshots.approvals(ref.id) or ())
            except RecordNotFoundError:
                now = "gone"
            with self._lock:
                if self._votes.get(ref.id) != now:
                    differing.append(ref)
                self._votes[ref.id] = now
        return differing

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members, read afresh; Jira does not say since when."""
        return memberships(self._client, group_id)

    # --- implementing

    def claim(self, ref: ChangeRef, *, plan_digest: str, owner: str) -> ClaimResult:
        """Claim this plan's implementation; see `claims` for why exactly one wins."""
        return self._claims.claim(ref.id, plan_digest=plan_digest, owner=owner)

    def begin(self, ref: ChangeRef, *, at: datetime) -> None:
        """Move the change to Implement and note the actual start.

        A plain workflow may have no status for it; then the change stays where it was approved.

        Raises:
            NotApprovedError: It is not where an approved change stands, or Jira refused or ignored
                the move.
            TransientError: Jira cannot be asked, or somebody changed the issue in the same moment.
        """
        state = self._snapshots.state(self._snapshots.fields(ref.id))
        if state is ChangeState.SCHEDULED:
            self._implement(ref)
        elif state is not ChangeState.IMPLEMENT:
            raise NotApprovedError(f"{ref}: it stands at {state}, not where it could begin")
        held = self._links.property(ref.id, _STARTED)
        if held is None:
            self._links.put(ref.id, _STARTED, {"started": at.isoformat()})

    def _implement(self, ref: ChangeRef) -> None:
        goal = {ChangeState.IMPLEMENT}
        if self._changes.mode is GateMode.STATUS and not any(
            self._is(way.to, goal) for way in self._moves.ways(ref.id)
        ):
            return
        try:
            self._move(ref.id, goal=goal, through=set())
        except (PreconditionError, MoveIgnoredError) as error:
            raise NotApprovedError(f"{ref}: Jira did not let it begin ({error})") from None

    def close(self, ref: ChangeRef, *, code: CloseCode, notes: str, at: datetime) -> None:
        """Move the change on to the closing status of this code, with notes and actual end.

        A change that is closed already is left as it is.
        """
        one = self._snapshots.fields(ref.id)
        state = self._snapshots.state(one)
        if state in {ChangeState.CANCELLED, ChangeState.REJECTED}:
            raise PreconditionError(f"{ref}: it has ended already ({state})")
        if notes:
            self._notes.add(ref.id, notes, marker=f"close:{ref.id}", is_public=False)
        held = dict(self._links.property(ref.id, _STARTED) or {})
        if "ended" not in held:
            self._links.put(ref.id, _STARTED, {**held, "ended": at.isoformat(), "code": str(code)})
        if state is not ChangeState.CLOSED:
            self._end(ref, code)

    def _end(self, ref: ChangeRef, code: CloseCode) -> None:
        names = (
            self._changes.successful if code is CloseCode.SUCCESSFUL else self._changes.unsuccessful
        )
        order = {name.casefold(): place for place, name in enumerate(names)}
        self._moves.walk(
            ref.id,
            goal=lambda status: status.name.casefold() in order or status.id in order,
            through=lambda status: self._is(status, {ChangeState.IMPLEMENT, ChangeState.REVIEW}),
            prefer=lambda status: order.get(status.name.casefold(), order.get(status.id, 0)),
            resolution=self._changes.resolutions.get(str(code), ""),
        )

    def cancel(self, ref: ChangeRef, *, reason: str) -> ChangeState:
        """Cancel our own change; one that a person ended already is left as it is."""
        state = self._snapshots.state(self._snapshots.fields(ref.id))
        if state in _OVER:
            return state
        self._notes.add(ref.id, reason, marker=f"cancel:{ref.id}", is_public=False)
        ways = self._moves.ways(ref.id)
        if self._changes.mode is GateMode.STATUS and not any(
            self._is(way.to, {ChangeState.CANCELLED}) for way in ways
        ):
            # A plain workflow knows no Cancelled: then it is closed as unsuccessful.
            self._end(ref, CloseCode.UNSUCCESSFUL)
            return ChangeState.CLOSED
        self._move(ref.id, goal={ChangeState.CANCELLED}, through=set())
        return ChangeState.CANCELLED

    def _move(self, issue_id: str, *, goal: set[ChangeState], through: set[ChangeState]) -> None:
        self._moves.walk(
            issue_id,
            goal=lambda status: self._is(status, goal),
            through=lambda status: self._is(status, through),
        )

    def _is(self, status: Status, states: set[ChangeState]) -> bool:
        return self._snapshots.states.get(status.id, status.name) in states

    # --- telling

    def add_work_note(self, ref: ChangeRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        self._notes.add(ref.id, text, marker=marker, is_public=False)

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Add watchers; they decide nothing."""
        self._files.watch(ref, who)

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once: a file of this name by our own account is not written again."""
        self._files.attach(ref, name=name, content=content, content_type=content_type)

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket, here or in another system; idempotent."""
        if ticket.system == self._name:
            self._links.join(ref.id, ticket.id, self._changes.link_type)
        else:
            self._links.point(ref.id, url=url, title=f"{ticket.key} ({ticket.system})")

    def opened_by_us(self, since: datetime) -> tuple[OpenedChange, ...] | None:
        """Return the changes that our account created since then, as the index shows them."""
        return tuple(
            OpenedChange(
                ref=ChangeRef(
                    system=self._name,
                    id=one.id,
                    number=one.key,
                    url=f"{self._settings.browse}/browse/{one.key}",
                ),
                correlation_id=one.correlation_id,
                opened_at=one.opened_at,
            )
            for one in self._own.opened_since(since)
        )

    def account(self) -> Account:
        """Return our own account."""
        return self._client.me()

    def check(self) -> tuple[Finding, ...]:
        """Return every finding, first of all: could this account approve?"""
        return check_changes(
            client=self._client,
            site=self._site,
            opening=self._opening,
            form=self._form,
            snapshots=self._snapshots,
            settings=self._changes,
            clock=self._clock,
        )

    def _ref(self, one: Found) -> ChangeRef:
        return ChangeRef(
            system=self._name,
            id=one.id,
            number=one.key,
            url=f"{self._settings.browse}/browse/{one.key}",
        )
