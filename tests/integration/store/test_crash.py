"""Kill -9 at every commit: what was committed is whole, what was not never happened."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from engine.domain.effect import EffectPhase
from engine.domain.stage import Stage
from engine.store.store import SQLStore, open_store

WORKER = Path(__file__).with_name("crash_worker.py")


@pytest.fixture
def worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crash_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_kill_at_any_commit_leaves_all_of_it_or_nothing(
    fresh_url: Callable[[], str], tmp_path: Path, worker: ModuleType
) -> None:
    commits = 1 + len(worker.STEPS) + 1
    urls = [fresh_url() for _ in range(2 * commits)]
    ran = subprocess.run(
        [sys.executable, "-P", str(WORKER), str(tmp_path), *urls],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["9"] * len(urls), "each child died at its commit"
    for number, url in enumerate(urls):
        is_after = number >= commits
        committed = number % commits + (1 if is_after else 0)
        store = open_store(url, data_dir=tmp_path / str(number))
        judge(store, committed, worker)
        assert finished(store, worker)
        store.close()


def judge(store: SQLStore, committed: int, worker: ModuleType) -> None:
    """Compare what stands in the store with what the first `committed` transactions wrote."""
    stages = [Stage.INGESTED, *(stage for stage, _ in worker.STEPS)]
    steps = min(committed, len(stages))
    with store.begin() as unit:
        assert (unit.cursor("servicenow/incidents") is not None) == (steps > 0)
        assert (unit.ticket(worker.REF) is not None) == (steps > 0)
        found = unit.latest(worker.REF)
        assert (found.stage if found else None) == (stages[steps - 1] if steps else None)
        assert [row.body["to"] for row in unit.audit("servicenow:sys1")] == stages[:steps]
        effect = unit.effect("k1")
        is_intended = steps > stages.index(Stage.IMPLEMENTING)
        assert (effect is not None) == is_intended
        if effect is not None:
            is_done = steps > stages.index(Stage.REPORTING)
            assert effect.phase is (EffectPhase.DONE if is_done else EffectPhase.INTENT)
        owner = unit.find_by_change("servicenow", "chg1")
        is_open = stages.index(Stage.OPENED) < steps < len(stages)
        assert (owner is not None) == is_open
    assert store.verify() is None


def finished(store: SQLStore, worker: ModuleType) -> bool:
    """Go on from where the dead one stopped, as a restarted daemon does; whether the end comes."""
    with store.begin() as unit:
        handling = unit.latest(worker.REF)
        if handling is None:
            handling = unit.start(worker.REF, at=worker.NOW, actor="tiergate")
        assert handling is not None
    stages = [Stage.INGESTED, *(stage for stage, _ in worker.STEPS)]
    for stage, changes in worker.STEPS[stages.index(handling.stage) :]:
        with store.begin() as unit:
            handling = unit.advance(handling, stage, why="next", at=worker.NOW, **changes)
    store.seal(worker.NOW)
    return handling.stage is Stage.FULFILLED and store.verify() is None
