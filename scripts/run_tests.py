"""What `make test` runs: the checks, then every test; a line with its minutes for each stage.

Two lanes run side by side, one a core; a stage's output is printed when it ends. Arguments go to
pytest and leave out the checks: `make test ARGS='tests/unit -k gate'`.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = (sys.executable, "-P", "-m", "pytest", "-q")
LANES: Sequence[Sequence[tuple[str, Sequence[str]]]] = (
    (
        ("check", (sys.executable, "-P", "scripts/check.py")),
        ("unit", (*PYTEST, "tests/unit")),
        ("contract", (*PYTEST, "tests/contract")),
        ("e2e", (*PYTEST, "tests/e2e", "--ignore=tests/e2e/attacks")),
    ),
    (
        ("integration", (*PYTEST, "tests/integration")),
        ("wheel", (sys.executable, "-P", "scripts/test_wheel.py")),
        ("attacks", (*PYTEST, "tests/e2e/attacks")),
    ),
)


class Results:
    """What every stage came to; prints each as it ends."""

    def __init__(self) -> None:
        """Begin with nothing failed."""
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def run(self, lane: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Run one lane's stages, each also after one that failed."""
        for name, command in lane:
            started = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            minutes = (time.monotonic() - started) / 60
            with self._lock:
                print(done.stdout + done.stderr, flush=True)
                print(f"== {name}: exit {done.returncode}, {minutes:.1f} min", flush=True)
                if done.returncode:
                    self.failed.append(name)


def main(arguments: list[str]) -> int:
    """Return 0 when every stage passes."""
    if arguments:
        return subprocess.run([*PYTEST, *arguments], cwd=ROOT, check=False).returncode
    results = Results()
    lanes = [threading.Thread(target=results.run, args=(lane,)) for lane in LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    print(f"failed: {', '.join(results.failed)}" if results.failed else "all stages passed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
