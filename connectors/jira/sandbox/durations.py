"""Durations such as `3h 30m`."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhm]?)")
_UNITS = {"w": 144000, "d": 28800, "h": 3600, "m": 60, "": 60}


def seconds_of(value: str) -> int | None:
    """Read a duration such as `3h 30m`; a week has five days of eight hours."""
    if not re.fullmatch(r"\s*(\d+(\.\d+)?\s*[wdhm]?\s*)+", value):
        return None
    return int(sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(value)))


def duration_of(seconds: int) -> str:
    """Show a duration as Jira does."""
    parts: list[str] = []
    for unit in ("w", "d", "h", "m"):
        amount, seconds = divmod(seconds, _UNITS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts) or "0m"
