"""MemoryStore: the Store port's semantics in memory; one writer at a time, all or nothing."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from engine.domain.audit import SignedHead
from engine.errors import RecordNotFoundError
from engine.ports.store import UnitOfWork
from engine.testing.store_rows import Rows
from engine.testing.store_work import MemoryUnitOfWork


class MemoryStore:
    """Keeps rows in this process; a transaction that fails leaves no trace."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows = Rows()
        self._writing = threading.Lock()
        self._writer: int | None = None

    @contextmanager
    def begin(self) -> Generator[UnitOfWork]:
        """Return a transaction; as on SQLite, one inside another in one thread is a mistake."""
        if self._writer == threading.get_ident():
            raise RuntimeError("a transaction inside a transaction would wait for itself")
        with self._writing:
            self._writer = threading.get_ident()
            try:
                rows = self._rows.copy()
                yield MemoryUnitOfWork(rows)
                self.before_commit()
                self._rows = rows
            finally:
                self._writer = None
        self.after_commit()

    def signed_head(self, chain: str, *, at: datetime) -> SignedHead:
        """Return the last row of a chain; in memory nobody holds a key, so it says that."""
        rows = self._rows.chains.get(chain, ())
        if not rows:
            raise RecordNotFoundError(f"no audit chain {chain!r}")
        return SignedHead(
            chain=chain,
            number=rows[-1].number,
            hash=rows[-1].hash,
            at=at,
            key="sha256:" + "0" * 64,
            signature="0" * 128,
        )

    def before_commit(self) -> None:
        """Let a subclass fail a commit; by default every commit succeeds."""

    def after_commit(self) -> None:
        """Let a subclass end the process here; by default nothing happens."""
