"""Calendars and boards of a tier map, and the terms of a gate that count in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.calendars import parse_holidays, parse_hours, parse_meetings
from config.document import Loc
from config.problems import unknown
from config.tier_models import (
    BoardSection,
    CalendarSection,
    GateSection,
    TierMapFile,
    WindowSection,
)
from engine.domain.calendar import Board, Calendar
from engine.domain.canonical import digest

Add = Callable[[Loc, str], None]
DEFAULT_EXPIRES = timedelta(days=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessTime:
    """What a map knows of time: calendars, boards, and digests of the holiday files."""

    calendars: Mapping[str, Calendar]
    boards: Mapping[str, Board]
    sources: Mapping[str, str]


def build_business_time(file: TierMapFile, folder: Path, add: Add) -> BusinessTime:
    """Return the calendars and boards of a file; every mistake is added."""
    calendars: dict[str, Calendar] = {}
    sources: dict[str, str] = {}
    for name, section in file.calendars.items():
        calendar, source = _calendar(name, section, folder, add)
        calendars[name], sources[name] = calendar, source
    boards = {
        name: board
        for name, section in file.boards.items()
        if (board := _board(name, section, calendars, add)) is not None
    }
    return BusinessTime(calendars=calendars, boards=boards, sources=sources)


def _calendar(name: str, section: CalendarSection, folder: Path, add: Add) -> tuple[Calendar, str]:
    at: Loc = ("calendars", name)
    try:
        hours = parse_hours(section.hours)
    except ValueError as error:
        add((*at, "hours"), f'"{", ".join(section.hours)}" does not fit ({error})')
        hours = ()
    text = _holidays(folder, section.holidays, (*at, "holidays"), add)
    try:
        holidays = parse_holidays(text) if text else frozenset()
    except ValueError as error:
        add((*at, "holidays"), f'"{section.holidays}" does not fit ({error})')
        holidays = frozenset()
    calendar = Calendar(
        name=name,
        zone=section.timezone,
        hours=hours,
        holidays=frozenset(day.isoformat() for day in holidays),
    )
    if hours and (holiday := _endless(calendar)):
        add((*at, "holidays"), f"it does not open again after {holiday}")
    return calendar, digest(text)


def _endless(calendar: Calendar) -> str:
    """Return the holiday after which the office stays shut for a year, "" where none does."""
    for holiday in sorted(calendar.holidays):
        try:
            calendar.next_open(datetime.fromisoformat(holiday).replace(tzinfo=UTC))
        except ValueError:
            return holiday
    return ""


def _holidays(folder: Path, name: str | None, loc: Loc, add: Add) -> str:
    if name is None:
        return ""
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        add(loc, f'"{name}" cannot be read ({type(error).__name__})')
        return ""


def _board(
    name: str, section: BoardSection, calendars: Mapping[str, Calendar], add: Add
) -> Board | None:
    at: Loc = ("boards", name)
    if section.calendar is not None and section.calendar not in calendars:
        add((*at, "calendar"), unknown("calendar", section.calendar, calendars))
    try:
        meets = parse_meetings(section.meets)
    except ValueError as error:
        add((*at, "meets"), f'"{", ".join(section.meets)}" does not fit ({error})')
        return None
    return Board(
        name=name,
        zone=section.timezone,
        meets=meets,
        lead=section.lead,
        calendar=calendars.get(section.calendar or ""),
    )


def check_terms(
    gate: GateSection, default: GateSection, at: Loc, business: BusinessTime, add: Add
) -> None:
    """Add every term of a gate that cannot be kept; `default` holds what `gate` leaves out."""
    expires = gate.expires or default.expires or DEFAULT_EXPIRES
    if gate.expires is not None and gate.expires <= timedelta(0):
        add((*at, "expires"), "a change that expires at once can never be approved")
    if gate.calendar is not None and gate.calendar not in business.calendars:
        add((*at, "calendar"), unknown("calendar", gate.calendar, business.calendars))
    late = (("remind", gate.remind), ("tell", gate.tell.after if gate.tell else None))
    for key, value in late:
        if value is not None and value >= expires:
            add((*at, key), f"{key} would come after the change has expired")
    if gate.tell is not None and not (gate.tell.whom or gate.tell.watch):
        add((*at, "tell"), "nobody is told (expected whom or watch)")
    _check_window(gate, at, business, expires, add)


def _check_window(
    gate: GateSection, at: Loc, business: BusinessTime, expires: timedelta, add: Add
) -> None:
    window = gate.window
    if window is None:
        return
    at = (*at, "window")
    if window.lead >= expires:
        add((*at, "lead"), "the window would open after the change has expired")
    for key in ("length", "within"):
        if getattr(window, key) == timedelta(0):
            add((*at, key), "a window without any time in it can never be met")
    if window.within is not None and window.length is not None:
        add((*at, "within"), "a window ends by its length or within a time, not by both")
    elif window.within is not None and window.within <= window.lead:
        add((*at, "within"), "the window would end before it opens")
    if window.board is not None:
        _check_board(window, window.board, (*at, "board"), business, expires, add)


def _check_board(
    window: WindowSection,
    name: str,
    at: Loc,
    business: BusinessTime,
    expires: timedelta,
    add: Add,
) -> None:
    board = business.boards.get(name)
    if board is None:
        add(at, unknown("board", name, business.boards))
        return
    for key, limit in (("expires", expires), ("within", window.within)):
        if limit is not None and board.lead + board.longest_gap >= limit:
            because = f"{key} may come before board {board.name} has met"
            add(at, f"{because} (it can take {_days(board.lead + board.longest_gap)})")


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):g} days"
