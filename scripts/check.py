"""Linters, types and import contracts: the same command by hand and in CI.

`--fast` leaves out the type checkers, for a pre-commit hook.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

FAST = (
    ("lint", ("ruff", "check", "--quiet", ".")),
    ("format", ("ruff", "format", "--check", "--quiet", ".")),
    ("contracts", ("lint-imports", "--no-cache")),
)
SLOW = (
    ("mypy", ("mypy", "connectors", "engine", "config", "tests", "scripts")),
    ("pyright", ("basedpyright",)),
)


def main(arguments: list[str]) -> int:
    """Run every check, all of them even when one fails; return the number of failures."""
    failed: list[str] = []
    for name, (command, *rest) in FAST + (() if "--fast" in arguments else SLOW):
        started = time.monotonic()
        done = subprocess.run(  # our own tools, fixed arguments
            [BIN / command, *rest], cwd=ROOT, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
        print(
            f"{name:10} {'ok' if done.returncode == 0 else 'FAILED'} {seconds:6.1f} s", flush=True
        )
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
