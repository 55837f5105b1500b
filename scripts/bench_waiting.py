"""Count the requests of one sync cycle while 10, 1,000 and 10,000 changes wait, by the sandboxes.

    python -P scripts/bench_waiting.py [--waiting 10 1000 10000] [--write]

A cycle is what the daemon does every few seconds: `changed_since`, until it says that nothing is
left. The changes that the cycles look at are real ones on the sandbox; the others that wait are
names only, because the connector asks nothing about a change whose turn has not come. `--write`
puts the table into docs/performance.md. Ends with 1 where a cost grows with what waits.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_PAGE = _ROOT / "docs" / "performance.md"
_TITLE = "## Waiting changes"
_REAL, _CHANGED = 40, 5
_SYSTEMS = {
    "ServiceNow": "harness_servicenow",
    "Jira Service Management (Cloud)": "harness_jira",
    "Jira Service Management (Data Center)": "harness_jira_datacenter",
}
_TEXT = """{title}

`python -P scripts/bench_waiting.py --write` counts the requests of one sync cycle in the sandboxes'
own request logs. Quiet: nothing changed since the cycle before. {changed} changed: as many of our
changes got a note; the cycle reads pages of {page} here, by default far larger ones. Jira's index
shows no votes, so a cycle reads 20 waiting changes in turn (`changes: votes:`), whatever waits.

| system | waiting | quiet cycle | {changed} changed | time of a quiet cycle |
|---|---|---|---|---|
{rows}

At ServiceNow a cycle makes two requests more every two minutes: the look at the next fifty waiting
changes. What grows is our own list of what waits, read from narrow rows in every cycle: about 7 µs
each, 0.07 s at 10,000.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    system: str
    waiting: int
    quiet: int
    busy: int
    seconds: float

    def text(self) -> str:
        """Return it as Markdown."""
        return (
            f"| {self.system} | {self.waiting:,} | {self.quiet} | {self.busy}"
            f" | {self.seconds * 1000:.0f} ms |"
        )


class Bench:
    """One sandbox with some real changes on it."""

    def __init__(self, system: str, harness: Any, sandbox: Any) -> None:  # noqa: ANN401  any system's
        self._system = system
        self._harness = harness
        self._log = sandbox.log
        refs = importlib.import_module("engine.domain.refs")
        self._ref = refs.ChangeRef
        ticket = harness.seed_ticket("waits for its change")
        self._real = [self._open(ticket, number) for number in range(_REAL)]
        harness.settle()

    def _open(self, ticket: Any, number: int) -> Any:  # noqa: ANN401  as above
        draft = self._harness.draft(ticket, correlation_id=f"tiergate-bench-{number}-1-r1")
        ref = self._harness.changes.open(draft)
        self._harness.changes.submit(ref, draft)
        return ref

    def measure(self, waiting: int) -> Line:
        """Return the cost of a cycle while so many wait."""
        refs = self._waiting(waiting)
        self._harness.settle()
        cursor = self._harness.changes.first_cursor()
        # What was written before is behind us, and no turn was spent on it.
        cursor, _count = self._cycle(cursor, ())
        self._harness.advance(timedelta(hours=1))
        cursor, _count = self._cycle(cursor, ())
        self._harness.settle()
        begun = time.perf_counter()
        cursor, quiet = self._cycle(cursor, refs)
        seconds = time.perf_counter() - begun
        for ref in self._real[:_CHANGED]:
            self._harness.changes.add_work_note(ref, "A note.", marker=f"bench|{waiting}")
        self._harness.settle()
        _cursor, busy = self._cycle(cursor, refs)
        return Line(self._system, waiting, quiet, busy, seconds)

    def _waiting(self, count: int) -> tuple[Any, ...]:
        real = self._real[: min(count, _REAL)]
        # Longer ids come later in the turn, so the cycles that are measured look at real changes.
        width = len(real[0].id) + 8
        names = [f"{number:0{width}d}" for number in range(1, count - len(real) + 1)]
        more = [self._ref(system=real[0].system, id=name, number=name, url="") for name in names]
        return (*real, *more)

    def _cycle(self, cursor: Any, refs: tuple[Any, ...]) -> tuple[Any, int]:  # noqa: ANN401  as above
        before = max((entry.id for entry in self._log.entries()), default=0)
        while True:
            page = self._harness.changes.changed_since(cursor, refs)
            cursor = page.cursor
            if page.is_last:
                return cursor, len(self._log.entries(since=before))


def measure(counts: Sequence[int]) -> list[Line]:
    """Return the whole table."""
    lines = list[Line]()
    for system, name in _SYSTEMS.items():
        module = importlib.import_module(f"tests.contract.{name}")
        for count in counts:
            with module.harness() as harness:
                line = Bench(system, harness, vars(harness)["_sandbox"]).measure(count)
            print(line.text(), flush=True)
            lines.append(line)
    return lines


def growing(lines: Sequence[Line]) -> list[str]:
    """Return the systems whose cost differs by more than two requests between the counts.

    Below the fixed budget fewer changes are read, so what waits less than that is left out.
    """
    found = list[str]()
    for system in _SYSTEMS:
        costs = [
            one.quiet
            for one in lines
            if one.system == system and (one.waiting >= _REAL or system == "ServiceNow")
        ]
        if costs and max(costs) - min(costs) > 2:  # noqa: PLR2004  the promise: constant ± 2
            found.append(system)
    return found


def write(lines: Sequence[Line]) -> None:
    """Replace the section of the page, or add it at the end."""
    rows = "\n".join(line.text() for line in lines)
    section = _TEXT.format(title=_TITLE, changed=_CHANGED, page=3, rows=rows)
    before, _, rest = _PAGE.read_text("utf-8").partition(_TITLE)
    after = rest.partition("\n## ")[2]
    text = f"{before.rstrip()}\n\n{section}" + (f"\n## {after}" if after else "")
    _PAGE.write_text(text, encoding="utf-8")


def main() -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    sys.path.insert(0, str(_ROOT))
    lines = measure(given.waiting)
    if given.write:
        write(lines)
    for system in growing(lines):
        print(f"{system}: the cost grows with what waits", file=sys.stderr)
    return 1 if growing(lines) else 0


if __name__ == "__main__":
    sys.exit(main())
