"""What the change system's own calendar says of a stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ObstacleKind(StrEnum):
    """Why the change system itself would not have a change run then."""

    BLACKOUT = "blackout"
    OUTSIDE_MAINTENANCE = "outside_maintenance"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One stretch of time that speaks against running a change; an open end is None.

    Attributes:
        name: What stands there: the schedule's name, the other change's number.
        is_binding: Whether nothing runs in it; else approvers are told, and decide.
    """

    kind: ObstacleKind
    name: str
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    is_binding: bool = True

    def covers(self, instant: datetime) -> bool:
        """Whether `instant` lies inside; the end itself is outside."""
        if self.begins_at is not None and instant < self.begins_at:
            return False
        return self.ends_at is None or instant < self.ends_at

    @property
    def said(self) -> str:
        """Return the kind and the name as people read them."""
        return f"{_WORDS[self.kind]} {self.name}"

    @property
    def line(self) -> str:
        """Return one line for a plan's text."""
        return f"{self.said}{_stretch(self)}: {_MEANS[self.is_binding]}"


_WORDS = {
    ObstacleKind.BLACKOUT: "blackout",
    ObstacleKind.OUTSIDE_MAINTENANCE: "outside the maintenance schedule",
    ObstacleKind.CONFLICT: "conflict with",
}
_MEANS = {True: "nothing runs in it", False: "approvers decide whether it matters"}


def _stretch(obstacle: Obstacle) -> str:
    texts = [
        f" {word} {moment:%d %b %Y %H:%M} UTC"
        for word, moment in (("from", obstacle.begins_at), ("until", obstacle.ends_at))
        if moment is not None
    ]
    return "".join(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSchedule:
    """What was found for one change; `unreadable` says why it may not be everything."""

    obstacles: tuple[Obstacle, ...] = ()
    unreadable: str = ""

    def binding(self, instants: Iterable[datetime]) -> Obstacle | None:
        """Return the first obstacle in which nothing runs at one of these instants."""
        moments = tuple(instants)
        for obstacle in self.obstacles:
            if obstacle.is_binding and any(obstacle.covers(moment) for moment in moments):
                return obstacle
        return None


NOTHING_SCHEDULED = NativeSchedule()
"""Nothing stands against it, as far as anybody can tell."""
