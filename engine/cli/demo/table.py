"""The demo's last table: expected and reached end of every ticket."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what was expected, and what outside systems tell."""

    name: str
    key: str
    expected: str
    reached: str

    @property
    def is_reached(self) -> bool:
        """Whether the end is the expected one."""
        return self.expected == self.reached


def draw(rows: Sequence[Row]) -> str:
    """Return the table as text, a line a ticket; where the end differs, both are told."""
    name = max(len(row.name) for row in rows)
    key = max(len(row.key) for row in rows)
    lines = ["", f"   {'ticket':{name}}  {'key':{key}}  expected and reached"]
    for row in rows:
        mark = "ok" if row.is_reached else "NO"
        lines.append(f"{mark} {row.name:{name}}  {row.key:{key}}  {row.expected}")
        if not row.is_reached:
            lines.append(f"   {'':{name}}  {'reached':>{key}}  {row.reached}")
    return "\n".join(lines)
