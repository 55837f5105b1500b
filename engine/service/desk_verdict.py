"""The desk's verdict: a pure function over one snapshot of the ticket, no I/O and no clock.

The same kinds and reasons as behind a change. What does not count is refused with its reason and
leaves the gate shut; where the native record can be answered again, another agent still may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from engine.domain.change import InvalidReason, Membership, Verdict, VerdictKind
from engine.domain.decision import Freeze
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.handling import Submission
from engine.domain.plan import Plan, fold
from engine.domain.refs import Account, Person
from engine.errors import UnmappedValueError
from engine.service.electorate import Doubt, Electorate, Identity, Parties, frozen
from engine.service.verdict_rules import answer, invalid

ANSWERS: Mapping[str, VerdictKind] = MappingProxyType(
    {
        "accept": VerdictKind.APPROVED,
        "wrong_action": VerdictKind.REJECTED,
        "wrong_person": VerdictKind.REJECTED,
        "do_it_myself": VerdictKind.REJECTED,
    }
)
"""What each native answer means; everything but accept is kept as feedback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskFacts:
    """Everything the desk's verdict rests on, all of it fresh but the plan and its submission.

    Attributes:
        members: The desk group's members now; None when they could not be read.
        members_then: Ids of its members when the desk was asked, for groups that keep no dates.
        persons: Account to person, for everybody who answered and the daemon; None: nobody known,
            or several.
        freezes: Of the plan's tier.
        claimed: Once the intent stands, the native answer that was claimed for it ("" for none): a
            yes then rests upon this answer alone. None before the intent.
        own_now: Our own clock: a deadline has passed when either clock says so, and a window is
            open when both do.
    """

    snapshot: DeskSnapshot
    plan: Plan
    submission: Submission
    members: tuple[Membership, ...] | None
    members_then: frozenset[str]
    persons: Mapping[Identity, Person | None]
    freezes: tuple[Freeze, ...] = field(default_factory=tuple)
    claimed: str | None = None
    own_now: datetime

    @property
    def clocks(self) -> tuple[datetime, datetime]:
        """What both clocks say."""
        return (self.snapshot.taken_at, self.own_now)

    @property
    def parties(self) -> Parties:
        """Return who may not answer."""
        return Parties(plan=self.plan, daemon=self.snapshot.daemon, persons=self.persons)

    @property
    def electorate(self) -> Electorate:
        """Return who may."""
        return Electorate(
            authority=self.plan.authority,
            members=self.members,
            members_then=self.members_then,
            asked_at=self.submission.submitted_at,
            asked="the desk was asked",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that does not count, and why."""

    answer: DeskAnswer
    reason: InvalidReason
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskVerdict:
    """The verdict, the answer it rests on, and every answer that does not count."""

    verdict: Verdict
    basis: DeskAnswer | None = None
    refused: tuple[Refusal, ...] = ()


def desk_verdict(facts: DeskFacts) -> DeskVerdict:
    """Return the desk's answer to exactly this plan.

    Raises:
        UnmappedValueError: An answer that no table knows.
    """
    answers = _since_asked(facts)
    refused = tuple(one for one in (_objection(facts, said) for said in answers) if one is not None)
    void = {one.answer.id for one in refused}
    counted = [said for said in answers if said.id not in void]
    if (shut := _shut(facts)) is not None:
        return DeskVerdict(verdict=shut, refused=refused)
    if (no := _standing_no(facts, counted)) is not None:
        said = no.answer.replace("_", " ")
        verdict = Verdict(
            kind=VerdictKind.REJECTED,
            because=f"{_name(no.by)} answered {said}",
            approvers=() if no.by is None else (no.by,),
        )
        return DeskVerdict(verdict=verdict, basis=no, refused=refused)
    yes = [said for said in counted if ANSWERS[said.answer] is VerdictKind.APPROVED]
    if facts.claimed is not None:
        yes = [said for said in yes if said.id == facts.claimed]
    if not yes:
        return DeskVerdict(verdict=_nobody(facts, refused), refused=refused)
    if (wait := _may_run_now(facts)) is not None:
        return DeskVerdict(verdict=wait, basis=yes[0], refused=refused)
    by = yes[0].by
    verdict = Verdict(
        kind=VerdictKind.APPROVED,
        because=f"accepted by {_name(by)}",
        approvers=() if by is None else (by,),
    )
    return DeskVerdict(verdict=verdict, basis=yes[0], refused=refused)


def _since_asked(facts: DeskFacts) -> list[DeskAnswer]:
    """Return the answers given after we asked, oldest first.

    Without a code an answer of the very second in which we asked may be an older one.
    """
    asked = facts.submission.submitted_at
    found = [
        said
        for said in facts.snapshot.answers or ()
        if said.at > asked or (said.code == facts.plan.code and said.at >= asked)
    ]
    for said in found:
        if said.answer not in ANSWERS:
            raise UnmappedValueError("desk answer", said.answer)
    return sorted(found, key=lambda said: (said.at, said.id))


def _shut(facts: DeskFacts) -> Verdict | None:
    """Return why no answer is weighed at all, in order; None when they are."""
    late = _too_late(facts)
    if facts.snapshot.answers is None:
        what = facts.snapshot.unreadable or "the ticket's history"
        # What nobody can judge does not wait for ever either.
        return late or invalid(InvalidReason.HISTORY_UNREADABLE, f"{what} cannot be read")
    edited = _edited(facts)
    if edited is not None or late is not None:
        return edited or late
    if facts.members is None:
        because = f"the members of {facts.plan.authority} cannot be read"
        return invalid(InvalidReason.MEMBERSHIP_UNREADABLE, because)
    return None


def _edited(facts: DeskFacts) -> Verdict | None:
    submitted = facts.submission.text.description
    if facts.plan.digest not in submitted:
        return invalid(InvalidReason.WRONG_RECORD, "another plan was put before the desk")
    if facts.snapshot.request is None:
        because = "the note with the plan is gone, or somebody wrote over it"
        return invalid(InvalidReason.PLAN_EDITED, because)
    if fold(facts.snapshot.request) != fold(submitted):
        because = "the plan on the ticket is not the one that the desk was asked about"
        return invalid(InvalidReason.PLAN_EDITED, because)
    return None


def _too_late(facts: DeskFacts) -> Verdict | None:
    """Expired: a plan before the desk ends with its window, and is not put before it again."""
    if max(facts.clocks) < facts.plan.expires_at:
        return None
    accepted = any(said.answer == "accept" for said in facts.snapshot.answers or ())
    because = "accepted, but not run in time" if accepted else "no agent answered in time"
    return answer(VerdictKind.EXPIRED, because)


def _standing_no(facts: DeskFacts, counted: list[DeskAnswer]) -> DeskAnswer | None:
    """Return a no that its own author has not taken back by a later yes: it outweighs any yes."""
    last: dict[str | None, DeskAnswer] = {}
    for said in counted:
        last[None if said.by is None else facts.parties.key(said.by)] = said
    rejected = [one for one in last.values() if ANSWERS[one.answer] is VerdictKind.REJECTED]
    return rejected[0] if rejected else None


def _nobody(facts: DeskFacts, refused: tuple[Refusal, ...]) -> Verdict:
    """Return why there is no acceptance: nobody answered, or nobody who may."""
    ended = [one for one in refused if one.answer.is_final]
    if ended:
        return invalid(ended[-1].reason, ended[-1].because)
    if facts.claimed is not None:
        return answer(
            VerdictKind.PENDING, "the acceptance that was claimed does not stand any more"
        )
    because = "no agent has answered yet"
    if refused:
        because = f"{because}; {refused[-1].because}"
    return answer(VerdictKind.PENDING, because)


def _objection(facts: DeskFacts, said: DeskAnswer) -> Refusal | None:
    found = _code_doubt(facts, said) or _account_doubt(facts, said.by)
    if found is None:
        return None
    return Refusal(answer=said, reason=found[0], because=found[1])


def _code_doubt(facts: DeskFacts, said: DeskAnswer) -> Doubt | None:
    """An acceptance names this plan where the way carries a code; a no stops whatever it names."""
    must = said.channel is DeskChannel.NOTE and said.answer == "accept"
    if said.code == facts.plan.code or (not said.code and not must):
        return None
    names = f"the code {said.code} of another plan" if said.code else "no code"
    return InvalidReason.WRONG_RECORD, f"the answer of {_name(said.by)} carries {names}"


def _account_doubt(facts: DeskFacts, by: Account | None) -> Doubt | None:
    if by is None:
        return InvalidReason.SETTER_UNKNOWN, "nobody can tell who answered"
    return facts.parties.doubt(by) or facts.electorate.doubt(by)


def _name(account: Account | None) -> str:
    return "somebody unknown" if account is None else account.name


def _may_run_now(facts: DeskFacts) -> Verdict | None:
    if (freeze := frozen(facts.freezes, facts.clocks)) is not None:
        return freeze
    earliest, opens = min(facts.clocks), facts.plan.window.earliest
    if opens is not None and earliest < opens:
        return Verdict(
            kind=VerdictKind.WAITING_FOR_WINDOW,
            because=f"accepted; the window opens at {opens:%d %b %Y %H:%M} UTC",
            not_before=opens,
        )
    return None
