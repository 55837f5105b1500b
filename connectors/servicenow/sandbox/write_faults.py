"""Faults that concern the data: how the write of one request goes wrong."""

from dataclasses import dataclass

from connectors.sandboxkit.faults import FaultBoard, FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFaults:
    """What is to go wrong with the writes of the request that is being carried out."""

    frozen: bool = False
    """Leave the time of the last update where it was."""
    equal: str = ""
    """The time that every write carries, or ""."""
    late: float = 0.0
    """Seconds until other requests see the write."""
    ignore_state: bool = False
    """Answer 200 and leave the state as it was."""


NONE = WriteFaults()


class FaultReader:
    """Asks the board once per request; remembers the common time of equal timestamps."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board
        self._equal: dict[int, str] = {}

    def for_write(self, method: str, target: str, user: str, now: str) -> WriteFaults:
        """Return what strikes a write."""
        if not self._board.any() or method not in ("POST", "PUT", "PATCH"):
            return NONE

        frozen = self._board.strike(
            FaultKind.FROZEN_TIMESTAMP, method=method, target=target, user=user
        )
        equal = self._board.strike(
            FaultKind.EQUAL_TIMESTAMPS, method=method, target=target, user=user
        )
        late = self._board.strike(FaultKind.LATE_COMMIT, method=method, target=target, user=user)
        ignored = self._board.strike(
            FaultKind.IGNORED_STATE, method=method, target=target, user=user
        )
        return WriteFaults(
            frozen=frozen is not None,
            equal=self._equal.setdefault(equal.id, equal.variant or now) if equal else "",
            late=late.seconds if late else 0.0,
            ignore_state=ignored is not None,
        )

    def stale(self, method: str, target: str, user: str) -> tuple[float, bool]:
        """Return how far behind the records a search is, and whether it shows old versions."""
        if not self._board.any() or method != "GET":
            return 0.0, False
        rule = self._board.strike(FaultKind.STALE_INDEX, method=method, target=target, user=user)
        return (rule.seconds, rule.variant == "versions") if rule else (0.0, False)
