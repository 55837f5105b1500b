"""The attended demo runs until somebody ends it, and never stands there without its daemon."""

import threading
from pathlib import Path

import pytest

from engine.cli.demo.children import Child
from engine.cli.demo.command import _watch


class Ended(Child):
    """A process that is alive for so many looks, and ended well."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    @property
    def is_alive(self) -> bool:
        self._looks -= 1
        return self._looks >= 0

    def wait(self, timeout: float | None = None) -> int | None:
        del timeout
        return 0


@pytest.mark.timeout(20)
def test_a_daemon_that_ends_after_the_people_have_written_ends_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon, people = Ended(3), Ended(1)
    assert _watch(threading.Event(), daemon, people, tmp_path, is_unattended=False) == 1
    assert str(tmp_path / "daemon.log") in capsys.readouterr().out


def test_ctrl_c_ends_the_attended_demo_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    stop.set()
    assert _watch(stop, Ended(1), Ended(0), tmp_path, is_unattended=False) == 0
    assert capsys.readouterr().out == "ending\n"
