"""AccountTrail: what one ITSM system itself says that our account wrote there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class WriteKind(StrEnum):
    """What a write of our account did, as far as the system's own history tells."""

    CREATE = "create"
    FIELD = "field"
    """A field of the record, whichever; on creation as well."""
    MOVE = "move"
    """State or status, and what the vendor's own rules set with it."""
    NOTE = "note"
    FILE = "file"
    LINK = "link"
    APPROVAL = "approval"
    """A decision of an approver: never ours to write (I3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWrite:
    """One write of our account; it holds no value that was set.

    Attributes:
        record: The number or key, as people name it; the id where it has none.
        owners: The ids of records of which it can be a part: itself, its change, its request.
        what: The native names of what was written.
        key: What tells an incident of our own faults from others (`fault_key`), "" for others.
    """

    at: datetime
    record: str
    owners: tuple[str, ...]
    kind: WriteKind
    what: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWrites:
    """All writes that could be seen, oldest first, and what could not be read, in sentences."""

    writes: tuple[OwnWrite, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNote:
    """A note of our account on a change: its text as it stands there now."""

    record: str
    at: datetime
    text: str


class AccountTrail(Protocol):
    """Reads back what our account did in one system; it writes nothing.

    `told` is called with a sentence now and then, because a long reading shall show that it goes
    on.
    """

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        ...

    @property
    def site(self) -> str:
        """Address and account: two systems of the configuration may be one site."""
        ...

    def fault_key(self, marker: str) -> str:
        """Return the `key` of the incident in which a fault with this marker is told."""
        ...

    def writes(self, since: datetime, *, told: Callable[[str], None]) -> OwnWrites:
        """Return what our account wrote since then, in everything that the system's history shows.

        Raises:
            PreconditionError: It is more than is read in one go: name a later beginning.
            TiergateError: The history cannot be read.
        """
        ...

    def head_notes(self, since: datetime, *, told: Callable[[str], None]) -> tuple[OwnNote, ...]:
        """Return the notes with signed audit heads that our account wrote on changes since then.

        Raises:
            TiergateError: They cannot be read.
        """
        ...
