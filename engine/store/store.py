"""The store: opens the database, hands out transactions, seals and verifies the audit chains."""

import json
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from engine.domain.audit import AuditRow, NotedSeal, SignedHead
from engine.domain.canonical import JSON
from engine.errors import ChainBrokenError, ConfigurationError
from engine.store import export, heads, verification
from engine.store.database import connect, scrub, snapshot, transaction
from engine.store.erasure import SCRUB_SETTING
from engine.store.keys import KEY_FILE, SigningKey, load_or_create
from engine.store.migrate import upgrade
from engine.store.seal import Head, Seal
from engine.store.sealing import seal_heads
from engine.store.unit_of_work import SQLUnitOfWork

WITNESS_FILE = "audit-seals.jsonl"
"""Every seal as a line, outside the database: what a cut tail or a restored backup is held to."""

_TAIL = 65_536  # bytes in which the last line of the file surely lies
_KEY_SETTING = "audit.key"
_TOLD_SETTING = "audit.told "
_SCRUBBED = "audit.scrubbed"
_MOST_ERASED = 50
_MOST_SEALS = 100  # told at once: a place that was down for days is not told a year in one breath


class SQLStore:
    """The port's `Store`, and what governance asks of the audit chains."""

    def __init__(self, engine: Engine, *, key: SigningKey, data_dir: Path) -> None:
        """Take an engine whose schema is up to date."""
        self._engine = engine
        self._key = key
        self._witness = data_dir / WITNESS_FILE
        self._writing = threading.local()

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key that seals and exports are checked with."""
        return self._key.public

    @contextmanager
    def begin(self) -> Generator[SQLUnitOfWork]:
        """Open a transaction that commits when left without an error, and rolls back otherwise.

        Raises:
            TransientError: The database is locked or unreachable; nothing was written.
            RuntimeError: This thread has a transaction open; it would wait for itself.
        """
        with self._transaction() as connection:
            yield SQLUnitOfWork(connection)

    @contextmanager
    def read(self) -> Generator[SQLUnitOfWork]:
        """Open a view of one instant for commands that only show; it holds off no writer."""
        with snapshot(self._engine) as connection:
            yield SQLUnitOfWork(connection)

    def seal(self, at: datetime) -> Seal | None:
        """Seal what was appended since the last seal; None when nothing was. Call it often.

        The seal is committed before it is noted outside the database: a crash between the two
        leaves a seal without its note, never a note without its seal.
        """
        with self._transaction() as connection:
            made = seal_heads(connection, self._key, at=at)
        if made is not None:
            self._note(made)
        return made

    def signed_head(self, chain: str, *, at: datetime) -> SignedHead:
        """Return the signed head of one chain as it stands now; see the port."""
        with snapshot(self._engine) as connection:
            return heads.signed_head(connection, self._key, chain, at=at)

    def announce(self, place: str, send: Callable[[Sequence[str]], None]) -> int:
        """Hand the signed lines of every seal that this place was not told yet to `send`.

        What was sent is noted after it: a crash in between tells it again. Returns how many lines
        were sent.

        Raises:
            TransientError: `send` could not; what it was told before stays told.
        """
        sent = 0
        while True:
            with self.read() as unit:
                told = unit.setting(_TOLD_SETTING + place)
            with snapshot(self._engine) as connection:
                after = int(told) if told else None
                news = heads.announcement(connection, self._key, after=after, most=_MOST_SEALS)
            if news is None:
                return sent
            send(news.lines)
            with self.begin() as unit:
                unit.save_setting(_TOLD_SETTING + place, str(news.newest))
            sent += len(news.lines)

    def compare(
        self, noted: Sequence[SignedHead], seals: Sequence[NotedSeal]
    ) -> tuple[verification.Misfit, ...]:
        """Return what the store lacks of heads and seals that were kept outside.

        Lines that this installation did not sign are left out; `is_ours` tells them.
        """
        ours = [one for one in noted if self.is_ours(one)]
        with snapshot(self._engine) as connection:
            return (
                *heads.seal_misfits(connection, [one for one in seals if self.is_ours(one)]),
                *heads.head_misfits(connection, ours),
            )

    def is_ours(self, one: SignedHead | NotedSeal) -> bool:
        """Whether this installation signed the line."""
        return heads.is_genuine(self._key.public, one)

    def verify(self, chain: str | None = None) -> verification.Misfit | None:
        """Return the first row that does not fit, of one chain or of everything; None: all fits."""
        # Read before the snapshot: a seal noted here is in the database that we look at then.
        witness = self._noted()
        with snapshot(self._engine) as connection:
            return verification.verify(connection, self._key.public, chain=chain, witness=witness)

    def export(self, chain: str, *, at: datetime) -> dict[str, JSON]:
        """Return one chain with everything about it, sealed and signed; see `verify_export`.

        Raises:
            RecordNotFoundError: No such chain.
        """
        while self.seal(at) is not None:
            pass
        with snapshot(self._engine) as connection:
            return export.export(connection, self._key, chain, at=at)

    def erase(self, chain: str, *, at: datetime, actor: str, why: str) -> AuditRow:
        """Remove every personal text of one ticket; see `ErasureRows.erase`."""
        with self.begin() as unit:
            return unit.erase(chain, at=at, actor=actor, why=why)

    def keep_until(self, before: datetime, *, at: datetime) -> int:
        """Erase the texts of every ticket that ended before; return of how many.

        Some tickets a transaction: whoever handles tickets meanwhile waits for none of it long.
        """
        erased = 0
        while True:
            with self.begin() as unit:
                chains = unit.due_for_erasure(before, limit=_MOST_ERASED)
                for chain in chains:
                    unit.erase(chain, at=at, actor="tiergate", why="the retention time is over")
                forgotten = unit.forget_unhandled(before, limit=_MOST_ERASED)
            erased += len(chains) + forgotten
            if max(len(chains), forgotten) < _MOST_ERASED:
                return erased

    def scrub(self) -> bool:
        """Drop erased texts from the database's own files too, where some are due.

        Returns whether nothing is left to do; False while another process reads, so try again.
        """
        with self.read() as unit:
            due, first = unit.setting(SCRUB_SETTING), unit.setting(_SCRUBBED)
        if due != "due":
            return True
        if not scrub(self._engine, is_first=first is None):
            return False
        with self.begin() as unit:
            unit.save_setting(SCRUB_SETTING, "")
            unit.save_setting(_SCRUBBED, "yes")
        return True

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        if getattr(self._writing, "is_open", False):
            raise RuntimeError("a transaction inside a transaction would wait for itself")
        self._writing.is_open = True
        try:
            with transaction(self._engine) as connection:
                yield connection
        finally:
            self._writing.is_open = False

    def _note(self, seal: Seal) -> None:
        line = json.dumps(seal.document(), separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self._witness, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line  # the line before was cut by a crash
            file.write(line)
            os.fsync(descriptor)

    def _noted(self) -> Head | None:
        if not self._witness.exists():
            return None
        with self._witness.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            # A line without its end was cut by a crash while it was written.
            lines = [line for line in file.read().split(b"\n")[:-1] if line]
        if not lines:
            return None
        try:
            last = json.loads(lines[-1])
            return Head(chain=verification.SEALS, number=last["number"], hash=last["hash"])
        except (ValueError, KeyError, TypeError) as exc:
            raise ChainBrokenError(f"{self._witness}: the last line is no seal") from exc


def open_store(url: str, *, data_dir: Path) -> SQLStore:
    """Open the database, migrate it, and make the signing key at the first start.

    Raises:
        ConfigurationError: No usable URL, a newer schema, or a key that is not this database's.
        TransientError: The database cannot be reached.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = connect(url)
    with ExitStack() as opened:
        opened.callback(engine.dispose)
        upgrade(engine)
        key = load_or_create(data_dir)
        store = SQLStore(engine, key=key, data_dir=data_dir)
        with store.begin() as unit:
            known = unit.setting(_KEY_SETTING)
            if known is None:
                unit.save_setting(_KEY_SETTING, key.fingerprint)
            elif known != key.fingerprint:
                raise ConfigurationError(
                    f"{data_dir / KEY_FILE}: the audit chains were sealed with another key"
                    f" ({known}); bring that file back, also to every daemon of a cluster"
                )
        opened.pop_all()  # from here on `close` ends it
        return store
