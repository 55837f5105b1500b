"""The claim: whatever happens in between, at most one owner ever runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.claims import Claims
from connectors.jira.links import Links
from engine.domain.change import ClaimResult
from engine.errors import OutcomeUnknownError

PLAN = "sha256:plan"


class CrashError(Exception):
    """The daemon died here."""


class Properties(Links):
    """The entity properties of one issue, as Jira answers them: 201 where new, 200 where not."""

    def __init__(self) -> None:
        self.held: dict[str, Mapping[str, Any]] = {}
        self.before: Iterator[str] | None = None

    def _tick(self) -> str:
        said = "" if self.before is None else next(self.before, "")
        if said == "crash":
            raise CrashError
        return said

    def property(self, issue_id: str, key: str) -> Mapping[str, Any] | None:
        del issue_id
        self._tick()
        return self.held.get(key)

    def properties(self, issue_id: str) -> frozenset[str]:
        del issue_id
        self._tick()
        return frozenset(self.held)

    def put(
        self, issue_id: str, key: str, value: Mapping[str, Any], *, is_repeatable: bool = True
    ) -> bool:
        del issue_id
        said = self._tick()
        if said == "lose request" and not is_repeatable:
            raise OutcomeUnknownError("lost on the way")
        is_new = key not in self.held
        self.held[key] = value
        if said == "lose answer" and not is_repeatable:
            raise OutcomeUnknownError("lost on the way back")
        if said == "die after":
            raise CrashError
        return is_new


def claim(links: Links, owner: str) -> ClaimResult:
    return Claims(links).claim("1", plan_digest=PLAN, owner=owner)


def test_the_first_wins_is_recognised_again_and_the_others_lose() -> None:
    links = Properties()
    assert claim(links, "one") is ClaimResult.WON
    assert claim(links, "two") is ClaimResult.LOST
    assert claim(links, "one") is ClaimResult.OURS
    assert claim(links, "two") is ClaimResult.LOST


def test_a_claim_whose_winner_died_before_noting_it_is_found_again() -> None:
    links = Properties()
    # read own mark, write intent, write claim (and die), as `claim` goes.
    links.before = iter(["", "", "die after"])
    try:
        claim(links, "one")
    except CrashError:
        links.before = None
    assert claim(links, "two") is ClaimResult.LOST
    assert claim(links, "one") is ClaimResult.OURS


def test_a_claim_that_never_arrived_may_be_made_again() -> None:
    links = Properties()
    links.before = iter(["", "", "lose request"])
    try:
        claim(links, "one")
        raise AssertionError("the outcome was known")
    except OutcomeUnknownError:
        links.before = None
    assert claim(links, "one") is ClaimResult.WON


def test_a_claim_whose_answer_was_lost_is_looked_up() -> None:
    links = Properties()
    links.before = iter(["", "", "lose answer"])
    assert claim(links, "one") is ClaimResult.OURS


def test_a_claim_that_somebody_wrote_by_hand_is_not_ours() -> None:
    links = Properties()
    assert claim(links, "one") is ClaimResult.WON
    key = next(key for key in links.held if ".by." not in key)
    other = Properties()
    other.held[key] = {"owner": "one"}
    assert claim(other, "one") is ClaimResult.LOST


def test_when_two_died_at_the_same_place_one_gives_up_before_the_other_runs() -> None:
    links = Properties()
    for owner in ("one", "two"):
        links.before = iter(["", "", "die after"])
        try:
            claim(links, owner)
        except CrashError:
            links.before = None
    assert [claim(links, "one"), claim(links, "two")] == [ClaimResult.LOST, ClaimResult.OURS]
    assert claim(links, "one") is ClaimResult.LOST


class Interleaved(Properties):
    """Lets another owner act before chosen calls, as two daemons on one site do."""

    def __init__(self, shared: Properties, turns: Iterator[bool], owner: str) -> None:
        super().__init__()
        self.held = shared.held
        self.turns = turns
        self.owner = owner
        self.results: list[ClaimResult] = []

    def _tick(self) -> str:
        if next(self.turns, False):
            other = Properties()
            other.held = self.held
            self.results.append(claim(other, self.owner))
        return super()._tick()


_STEPS = st.sampled_from(["", "", "", "crash", "lose request", "lose answer", "die after"])
_SCRIPT = st.lists(
    st.tuples(st.sampled_from(["one", "two", "three"]), st.lists(_STEPS)), max_size=9
)


@settings(max_examples=400)
@given(_SCRIPT)
def test_at_most_one_owner_ever_hears_that_it_may_run(script: list[tuple[str, list[str]]]) -> None:
    links = Properties()
    runners: set[str] = set()
    wins = 0
    for owner, steps in script:
        links.before = iter(steps)
        try:
            said = claim(links, owner)
        except (CrashError, OutcomeUnknownError):
            continue
        if said is not ClaimResult.LOST:
            runners.add(owner)
        wins += said is ClaimResult.WON
    assert len(runners) <= 1
    assert wins <= 1


@settings(max_examples=200)
@given(st.lists(st.booleans(), max_size=8))
def test_at_most_one_wins_however_two_daemons_interleave(turns: list[bool]) -> None:
    shared = Properties()
    first = Interleaved(shared, iter(turns), "two")
    mine = claim(first, "one")
    may_run = [said for said in (mine, *first.results[:1]) if said is not ClaimResult.LOST]
    assert len(may_run) <= 1
    assert not ({ClaimResult.WON} <= {mine}) or ClaimResult.WON not in first.results
