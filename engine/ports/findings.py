"""What `check` finds: one finding a line, with its remedy."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """UNSAFE: `run` refuses the gate or the system.

    FAULT: the system is not polled. WARNING: said only.
    """

    UNSAFE = "unsafe"
    FAULT = "fault"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: a constant code, the system, what was seen, and how to mend it."""

    severity: Severity
    code: str
    system: str
    seen: str
    remedy: str = ""
