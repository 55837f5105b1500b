"""Test the built wheel outside the checkout: what users install is what was tested.

A file that is missing from the wheel, or a path that only a checkout has, shows here and nowhere
else. Runs the unit and the contract suite; arguments replace them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = (sys.executable, "-m", "uv")
SUITES = ("tests/unit", "tests/contract", "--ignore=tests/unit/house")  # that is about a checkout


def main(arguments: list[str]) -> int:
    """Build, install from the development lock into an environment of its own, and test."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = Path(name)
        python = _installed(folder)
        work = folder / "checkout"
        for part in ("tests", "docs"):  # tests hold pages against the code
            shutil.copytree(
                ROOT / part,
                work / part,
                ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            )
        shutil.copy(ROOT / "pyproject.toml", work)
        if (shared := ROOT.parent / "shared").exists():
            (folder / "shared").symlink_to(shared)
        return subprocess.run(
            [python, "-P", "-m", "pytest", "-q", *(arguments or SUITES)], cwd=work, check=False
        ).returncode


def _installed(folder: Path) -> Path:
    """Return the interpreter of an environment that holds the wheel and nothing of the checkout."""
    environment = folder / "venv"
    python = environment / "bin" / "python"
    _uv("build", "--quiet", "--wheel", "--out-dir", str(folder / "dist"), str(ROOT))
    wheel = next((folder / "dist").glob("*.whl"))
    _uv("venv", "--quiet", str(environment))
    lock = str(ROOT / "requirements-dev.lock")
    _uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(python), lock)
    _uv("pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel))
    return python


def _uv(*arguments: str) -> None:
    subprocess.run(
        [*UV, *arguments], check=True, env={**os.environ, "PYTHONPATH": str(ROOT / ".uv")}
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
