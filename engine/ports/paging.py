"""Cursors and pages of what changed, for tickets and for changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The position of a sweep, by the remote system's clock.

    Everything up to (`at`, `id`) was seen.

    `horizon` is the fixed upper end of the sweep in progress, None between sweeps; `opaque` is the
    connector's own continuation (a page token), "" when there is none.
    """

    at: datetime
    id: str = ""
    horizon: datetime | None = None
    opaque: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page; `cursor` is stored with its items in one transaction.

    Attributes:
        items: May be empty although more follows (rows hidden by the vendor's access rules).
        broken: Records that could not be read, as (id, why): each parks its own ticket and nobody
            else's.
        is_last: The sweep reached its horizon; the next call starts the next sweep, with overlap.
        hidden: Rows the vendor counted but did not show.
        server_now: The remote system's own clock when the page was made.
    """

    items: tuple[T, ...]
    cursor: Cursor
    is_last: bool
    server_now: datetime
    broken: tuple[tuple[str, str], ...] = ()
    hidden: int = 0
