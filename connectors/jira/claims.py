"""The claim of one plan's implementation in Jira: an entity property that only one writer creates.

A write of a property answers 201 where it is new and 200 where it was there, so the first writer
wins by the answer's status alone. The value cannot say who won, because a loser's write has
overwritten it. For a crash between winning and remembering, every writer first leaves an intent in
a property of its own, and marks it afterwards: won or lost. So a writer that comes back and finds
the claim there, its own intent open, and no other intent that is not marked lost, knows that it was
the winner; in any other case it does not run.
"""

import hashlib
from enum import StrEnum

from connectors.jira.links import Links
from connectors.jira.values import text_of
from engine.domain.change import ClaimResult
from engine.errors import OutcomeUnknownError


class _Mark(StrEnum):
    INTENT = "intent"
    WON = "won"
    LOST = "lost"


class Claims:
    """Claims on the issues of one site."""

    def __init__(self, links: Links) -> None:
        """Keep what is needed; no I/O."""
        self._links = links

    def claim(self, issue_id: str, *, plan_digest: str, owner: str) -> ClaimResult:
        """Claim this plan on this issue; exactly one owner ever wins.

        Raises:
            OutcomeUnknownError: The write of the claim got no answer and is not there (yet): ask
                again later.
        """
        claim = f"tiergate.claim.{_short(plan_digest)}"
        mine = f"{claim}.by.{_short(owner)}"
        mark = self._mark(issue_id, mine)
        if mark is _Mark.WON or mark is _Mark.LOST:
            return ClaimResult.OURS if mark is _Mark.WON else ClaimResult.LOST
        is_retry = mark is _Mark.INTENT
        if not is_retry:
            self._write(issue_id, mine, _Mark.INTENT, owner)
        elif self._links.property(issue_id, claim) is not None:
            return self._found(issue_id, claim, mine, owner)
        try:
            is_new = self._links.put(
                issue_id, claim, {"owner": owner, "plan": plan_digest}, is_repeatable=False
            )
        except OutcomeUnknownError:
            if self._links.property(issue_id, claim) is None:
                raise
            return self._found(issue_id, claim, mine, owner)
        if is_retry and not is_new:
            # Our own first try may have come in late, after we had looked.
            return self._found(issue_id, claim, mine, owner)
        self._write(issue_id, mine, _Mark.WON if is_new else _Mark.LOST, owner)
        return ClaimResult.WON if is_new else ClaimResult.LOST

    def _found(self, issue_id: str, claim: str, mine: str, owner: str) -> ClaimResult:
        """Say whose a claim is that exists while our intent is open.

        Whoever created it had left an intent before, so it is among the marks listed now.
        """
        others = [
            key
            for key in self._links.properties(issue_id)
            if key.startswith(f"{claim}.by.") and key != mine
        ]
        is_ours = all(self._mark(issue_id, key) is _Mark.LOST for key in others)
        self._write(issue_id, mine, _Mark.WON if is_ours else _Mark.LOST, owner)
        return ClaimResult.OURS if is_ours else ClaimResult.LOST

    def _mark(self, issue_id: str, key: str) -> _Mark | None:
        held = self._links.property(issue_id, key)
        if held is None:
            return None
        said = text_of(held.get("mark"))
        # A mark that we did not write is nobody's proof: read as an intent, it only ever blocks.
        return _Mark(said) if said in {str(mark) for mark in _Mark} else _Mark.INTENT

    def _write(self, issue_id: str, key: str, mark: _Mark, owner: str) -> None:
        self._links.put(issue_id, key, {"mark": str(mark), "owner": owner})


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
