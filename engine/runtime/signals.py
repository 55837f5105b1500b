"""SIGTERM and SIGINT end the daemon cleanly; a second one changes nothing."""

import signal
from collections.abc import Callable
from types import FrameType


def on_end(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM or SIGINT. Main thread only."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
