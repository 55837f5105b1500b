"""The rules of the house as tests: what no linter knows."""

import importlib
import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_no_module_is_longer_than_it_may_be() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in tracked("*.py")
        if (lines := len(path.read_text("utf-8").splitlines()))
        > (500 if path.is_relative_to(ROOT / "tests") else 400)
    ]
    assert not too_long


def test_locks_hold_names_versions_and_hashes_but_no_address() -> None:
    locks = [*tracked("*.lock"), *tracked("*-lock.json")]
    assert {lock.name for lock in locks} >= {"requirements.lock", "requirements-dev.lock"}
    assert not [lock.name for lock in locks if "://" in lock.read_text("utf-8")]


def test_every_locked_version_carries_a_hash() -> None:
    for lock in tracked("*.lock"):
        text = lock.read_text("utf-8")
        blocks = re.split(r"\n(?=\S)", text.strip())
        bare = [block for block in blocks if "--hash=sha256:" not in block]
        assert not bare, f"{lock.name}: {bare[:3]}"


def test_the_development_lock_contains_the_run_time_lock() -> None:
    pin = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    runtime = set(pin.findall((ROOT / "requirements.lock").read_text("utf-8")))
    development = set(pin.findall((ROOT / "requirements-dev.lock").read_text("utf-8")))
    assert runtime <= development


def test_tests_are_no_packages_so_that_they_shadow_nothing() -> None:
    assert not tracked("tests/**/__init__.py")


def test_decisions_have_unique_numbers() -> None:
    numbers = [path.name[:4] for path in tracked("docs/adr/*.md")]
    assert numbers
    assert len(numbers) == len(set(numbers))


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(root|work|farm|home/[a-z]+)/")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py", "*.md", "*.toml", "*.yaml", "*.sh", "Makefile", ".ci/*")
        if path.name != "test_house.py" and pattern.search(path.read_text("utf-8"))
    ]
    assert not found


def test_shipped_code_holds_no_words_of_unfinished_work() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|for now)\b")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked("connectors/**.py", "engine/**.py", "config/**.py", "scripts/**.py")
        if (match := pattern.search(path.read_text("utf-8")))
    ]
    assert not found


def test_the_broad_except_exists_once_in_the_runtime() -> None:
    # Cleaning up and raising on is not catching.
    pattern = re.compile(
        r"except( Exception| BaseException)?( as \w+)?:(?![^\n]*\n(?:\s+[^\n]+\n){1,3}?\s+raise\n)"
    )
    places = [
        str(path.relative_to(ROOT))
        for path in tracked("connectors/**.py", "engine/**.py", "config/**.py")
        for _ in pattern.finditer(path.read_text("utf-8"))
    ]
    assert places == ["engine/runtime/guard.py"]


def test_every_noqa_and_type_ignore_has_a_code_and_a_reason() -> None:
    bare = re.compile(
        r"#\s*(noqa|type:\s*ignore)(?!(:\s*[A-Z]+\d+|\[))"
        r"|#\s*type:\s*ignore\[[^\]]+\]\s*$",
        re.MULTILINE,
    )
    without_reason = re.compile(r"#\s*noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s*$", re.MULTILINE)
    found = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py")
        if path.name != "test_house.py"
        and (bare.search(text := path.read_text("utf-8")) or without_reason.search(text))
    ]
    assert not found


def test_the_three_packages_come_from_this_distribution() -> None:
    owners = importlib.metadata.packages_distributions()
    for name in ("engine", "connectors", "config"):
        module = importlib.import_module(name)
        assert module.__file__ is not None
        assert Path(module.__file__).is_relative_to(ROOT)
        assert set(owners.get(name, ["tiergate"])) == {"tiergate"}


DOTTED = re.compile(r"`((?:engine|connectors|config)(?:\.\w+)+)`")


@pytest.mark.parametrize(
    "document", [*tracked("docs/**.md"), *tracked("*.md")], ids=lambda path: path.name
)
def test_every_dotted_name_in_the_documents_exists(document: Path) -> None:
    for name in set(DOTTED.findall(document.read_text("utf-8"))):
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                found: object = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            for part in parts[length:]:
                found = getattr(found, part)
            break
        else:
            pytest.fail(f"{document.name} names {name}, which does not exist")
