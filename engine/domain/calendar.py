"""Business time: when an office is open, how deadlines count in it, when a board meets; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_FURTHEST = 400
_DAY = timedelta(days=1)
_MINUTES = 60

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When an office is open; asked about given instants only.

    Attributes:
        zone: An IANA time zone: hours and holidays are local to it.
        hours: (weekday, opens, closes), Monday being 0, in minutes of the day; none overlaps.
        holidays: Days, as ISO dates, on which it stays shut.
    """

    name: str
    zone: str
    hours: tuple[tuple[int, int, int], ...]
    holidays: frozenset[str] = frozenset()

    def is_open(self, instant: datetime) -> bool:
        """Whether the office is open at `instant`; the closing instant itself is closed."""
        day = self._local(instant).date()
        return any(opens <= instant < closes for opens, closes in self._stretches(day))

    def next_open(self, instant: datetime) -> datetime:
        """Return `instant` if open, else the next opening.

        Raises:
            ValueError: The calendar does not open within 400 days.
        """
        for opens, closes in self._from(instant):
            if closes > instant:
                return max(opens, instant)
        raise self._never()

    def after(self, start: datetime, span: timedelta) -> datetime:
        """Return when `span` of business time has gone by since `start`.

        Each whole 24 hours of it are one working day, what remains counts open hours: after `1d`
        from Friday 17:00 it is Monday 17:00, after `4h` from Friday 16:00, with the office closing
        at 18:00, it is Monday 10:00.

        Raises:
            ValueError: A negative span, or the calendar does not open within 400 days.
        """
        if span < timedelta(0):
            raise ValueError("business time does not run backwards")
        if not span:
            return start
        at = self.next_open(start)
        if span.days:
            at = self._days_after(at, span.days)
        rest = timedelta(seconds=span.seconds, microseconds=span.microseconds)
        return self._hours_after(at, rest) if rest else at

    def open_between(self, start: datetime, end: datetime) -> timedelta:
        """Return how long the office is open in [start, end)."""
        total = timedelta(0)
        for opens, closes in self._from(start, days=(end - start).days + 2):
            total += max(min(closes, end) - max(opens, start), timedelta(0))
        return total

    def is_holiday(self, day: date) -> bool:
        """Whether the office stays shut on that day whatever its hours say."""
        return day.isoformat() in self.holidays

    def _days_after(self, at: datetime, days: int) -> datetime:
        local, left = self._local(at), days
        for offset in range(1, (_FURTHEST + 2) * days):
            day = local.date() + offset * _DAY
            if not any(True for _ in self._stretches(day)):
                continue
            left -= 1
            if not left:
                same = datetime.combine(day, local.time(), ZoneInfo(self.zone))
                return self.next_open(same.astimezone(UTC))
        raise self._never()

    def _hours_after(self, at: datetime, rest: timedelta) -> datetime:
        while True:
            for opens, closes in self._from(at):
                begin = max(opens, at)
                if closes <= begin:
                    continue
                if rest <= closes - begin:
                    return begin + rest
                rest -= closes - begin
                at = closes
                break
            else:
                raise self._never()

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.zone))

    def _from(self, instant: datetime, *, days: int = _FURTHEST) -> Iterator[Stretch]:
        """Yield when it is open, from the day of `instant` on."""
        first = self._local(instant).date()
        for offset in range(days):
            yield from self._stretches(first + offset * _DAY)

    def _stretches(self, day: date) -> Iterator[Stretch]:
        """Yield the open stretches that begin on a local day, in UTC and in order.

        An hour that the clock shows twice is open both times; one that it skips is not there.
        """
        if self.is_holiday(day):
            return
        for weekday, opens, closes in self.hours:
            if weekday != day.weekday():
                continue
            begin = min(self._instants(day, opens)) if opens else self._midnight(day)
            end = max(self._instants(day, closes))
            if begin < end:
                yield begin, end

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, ZoneInfo(self.zone)).astimezone(UTC)

    def _instants(self, day: date, minute: int) -> tuple[datetime, datetime]:
        """Return both instants at which that minute of the day can be meant."""
        days, rest = divmod(minute, 24 * _MINUTES)
        local = datetime.combine(day + days * _DAY, time(rest // _MINUTES, rest % _MINUTES))
        aware = local.replace(tzinfo=ZoneInfo(self.zone))
        first = aware.replace(fold=0).astimezone(UTC)
        second = aware.replace(fold=1).astimezone(UTC)
        # A skipped minute means the instant at which the clock jumped over it.
        return (first, second) if first <= second else (first, first)

    def _never(self) -> ValueError:
        return ValueError(f"calendar {self.name} does not open within {_FURTHEST} days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board that has to meet before a change may run.

    Attributes:
        meets: (weekday, minute of the day) in `zone`, Monday being 0.
        lead: How long before a meeting a change must be submitted to be on its agenda.
        calendar: On its holidays the board does not meet, and `lead` counts its business time.
    """

    name: str
    zone: str
    meets: tuple[tuple[int, int], ...]
    lead: timedelta = timedelta(0)
    calendar: Calendar | None = None

    def next_meeting(self, submitted: datetime) -> datetime:
        """Return the first meeting that a change submitted then is on the agenda of.

        Raises:
            ValueError: The board does not meet within 400 days.
        """
        ready = (
            self.calendar.after(submitted, self.lead) if self.calendar else submitted + self.lead
        )
        zone = ZoneInfo(self.zone)
        first = ready.astimezone(zone).date()
        for offset in range(_FURTHEST):
            day = first + offset * _DAY
            if self.calendar is not None and self.calendar.is_holiday(day):
                continue
            for weekday, minute in sorted(self.meets):
                if weekday != day.weekday():
                    continue
                at = time(minute // _MINUTES, minute % _MINUTES)
                meeting = datetime.combine(day, at, zone).astimezone(UTC)
                if meeting >= ready:
                    return meeting
        raise ValueError(f"board {self.name} does not meet within {_FURTHEST} days")

    @property
    def longest_gap(self) -> timedelta:
        """The longest time from one meeting to the next, holidays aside."""
        minutes = sorted(weekday * 24 * _MINUTES + minute for weekday, minute in self.meets)
        week = 7 * 24 * _MINUTES
        following = [*minutes[1:], minutes[0] + week]
        return timedelta(minutes=max(b - a for a, b in zip(minutes, following, strict=True)))
