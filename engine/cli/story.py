"""The story of the daemon as it happens: a line a step, with the ticket's key."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.cli.console import shown
from engine.domain.handling import Handling
from engine.domain.stage import Stage
from engine.ports.clock import Clock
from engine.store.store import SQLStore

_COLOURS: dict[str, str] = {
    "done": "32",
    "tier": "36",
    "gate": "33",
    "waits": "33",
    "handed over": "35",
    "rejected": "31",
    "failed": "31",
    "parked": "31",
}


_MOST_NAMES = 4


class Story:
    """Prints what each step means to a person who watches."""

    def __init__(
        self,
        store: SQLStore,
        clock: Clock,
        *,
        has_colour: bool,
        page: Callable[[str], str],
        approvers: Callable[[Handling], Sequence[str]],
    ) -> None:
        """Take where tickets are read, an approval page's address, and whom a change waits for."""
        self._store = store
        self._clock = clock
        self._has_colour = has_colour
        self._page = page
        self._approvers = approvers

    def step(self, before: Handling, after: Handling) -> None:
        """Tell one step."""
        for word, text in self._lines(before, after):
            self._print(after, word, text)

    def _lines(self, before: Handling, after: Handling) -> list[tuple[str, str]]:
        lines: list[tuple[str, str]] = []
        if before.classification is None and after.classification is not None:
            lines.append(("new", self._title(after)))
            lines.append(("triaged", self._understood(after)))
        if before.decision is None and after.decision is not None and after.decision.action:
            because = "; ".join(reason.because for reason in after.decision.reasons) or "floor"
            lines.append(("tier", f"{int(after.decision.tier)}  {because}"))
        if after.stage is not before.stage:
            lines += self._stage_lines(after)
        return lines

    def _stage_lines(self, after: Handling) -> list[tuple[str, str]]:
        number = after.change.number if after.change else "the desk"
        page = self._page(after.change.system) if after.change else after.ticket.key
        said: dict[Stage, tuple[str, Callable[[], str]]] = {
            Stage.OPENED: ("gate", lambda: f"{number} opened"),
            Stage.AWAITING: (
                "waits",
                lambda: f"{self._awaited(after)}    approve: {page}",
            ),
            Stage.APPROVED: ("approved", lambda: f"{number} {self._why(after, Stage.APPROVED)}"),
            Stage.IMPLEMENTING: (
                "implement",
                lambda: f"plan {after.plan.code}" if after.plan else "",
            ),
            Stage.BACKING_OUT: ("failed", lambda: "verification failed: backing out"),
            Stage.PARKED: ("parked", lambda: after.reason),
            Stage.FULFILLED: ("done", lambda: self._done(after)),
        }
        if after.stage in said:
            word, text = said[after.stage]
            return [(word, text())]
        if after.stage.is_end:
            return [(str(after.stage).replace("_", " "), after.reason)]
        return []

    def _title(self, handling: Handling) -> str:
        with self._store.read() as unit:
            ticket = unit.ticket(handling.ticket)
        if ticket is None:
            return ""
        who = ticket.requester.name if ticket.requester else "nobody"
        return f'"{ticket.short_description[:60]}"  {who}'

    def _awaited(self, handling: Handling) -> str:
        """Return who may say yes, by name where that can be read; there may be many of them."""
        names = self._approvers(handling)
        if not names:
            return self._why(handling, Stage.AWAITING)
        number = handling.change.number if handling.change else "the desk"
        if len(names) > _MOST_NAMES:
            return f"{number} waits for one of {len(names)}, {names[0]} among them"
        return f"{number} waits for {' or '.join(names)}"

    def _done(self, handling: Handling) -> str:
        found = self._step(handling, Stage.APPROVED)
        if found is None:
            return f"{handling.reason}    {self._seconds(handling)}"
        approved, at = found
        spent = (handling.updated_at - at).total_seconds()
        number = f", {handling.change.number} closed" if handling.change else ""
        said = f"{approved} {at.astimezone():%H:%M:%S}, {handling.reason}{number}"
        return f"{said}    {spent:.1f} s after approval"

    def _why(self, handling: Handling, stage: Stage) -> str:
        """Return why this handling came to a stage: who is waited for, who said yes."""
        found = self._step(handling, stage)
        return found[0] if found else ""

    def _step(self, handling: Handling, stage: Stage) -> tuple[str, datetime] | None:
        """Return why and when this handling came to a stage last; None where it never did."""
        chain = f"{handling.ticket.system}:{handling.ticket.id}"
        with self._store.read() as unit:
            rows, beside = unit.audit(chain), unit.private(chain)
        for row in reversed(rows):
            if row.body.get("handling") == handling.id and row.body.get("to") == str(stage):
                why = beside.get(row.number, {}).get("why") or row.body.get("why", "")
                return str(why), row.at
        return None

    @staticmethod
    def _understood(handling: Handling) -> str:
        found = handling.classification
        if found is None or not found.intent:
            return found.abstained_because if found else ""
        return f"{found.intent} {found.confidence:.2f}"

    def _seconds(self, handling: Handling) -> str:
        spent = (handling.updated_at - handling.created_at).total_seconds()
        return f"{spent:.1f} s"

    def _print(self, handling: Handling, word: str, text: str) -> None:
        now: datetime = self._clock.now().astimezone()
        label = f"{word:11}"
        if self._has_colour and word in _COLOURS:
            label = f"\x1b[{_COLOURS[word]}m{label}\x1b[0m"
        key = shown(handling.ticket.key)
        sys.stdout.write(f"{now:%H:%M:%S}  {key:12} {label} {shown(text)}\n")
        sys.stdout.flush()
