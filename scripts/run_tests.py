"""What `make test` runs: the checks, then every test; a line with its minutes for each stage.

Arguments go to pytest and leave out the checks: `make test ARGS='tests/unit -k gate'`.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("unit", "contract", "integration", "e2e")


def main(arguments: list[str]) -> int:
    """Return 0 when all stages pass; every stage runs, also after one that failed."""
    if arguments:
        return _run("tests", [sys.executable, "-P", "-m", "pytest", *arguments])
    failures = _run("check", [sys.executable, "-P", "scripts/check.py"])
    for stage in STAGES:
        failures += _run(stage, [sys.executable, "-P", "-m", "pytest", "-q", f"tests/{stage}"])
    print("all stages passed" if not failures else f"{failures} stage(s) failed", flush=True)
    return 1 if failures else 0


def _run(name: str, command: list[str]) -> int:
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(f"== {name}: exit {code}, {(time.monotonic() - started) / 60:.1f} min", flush=True)
    return 1 if code else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
