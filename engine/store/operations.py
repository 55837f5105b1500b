"""What operators see and switch: pauses, health of polling, settings of the installation."""

from datetime import datetime

from sqlalchemy import delete, select

from engine.ports.store import Pause, PollHealth
from engine.store import codec
from engine.store.audit import INSTALLATION, AuditRows
from engine.store.tables import HEALTH, PAUSE, SETTING


class OperationRows(AuditRows):
    """The part of the unit of work for operations."""

    def pauses(self) -> tuple[Pause, ...]:
        """Return what is paused."""
        query = select(PAUSE.c.document).order_by(PAUSE.c.action, PAUSE.c.system)
        return tuple(codec.loads(Pause, row) for row in self._connection.scalars(query))

    def pause(self, pause: Pause) -> None:
        """Pause; a pause that stands keeps its first author and time, and no second audit row."""
        values = {
            "action": pause.action or "",
            "system": pause.system or "",
            "document": codec.dumps(pause),
        }
        if self._insert_new(PAUSE, values):
            self.record(
                chain=INSTALLATION,
                event="paused",
                actor=pause.by,
                at=pause.at,
                body={"action": pause.action, "system": pause.system},
                private={"reason": pause.reason} if pause.reason else None,
            )

    def resume(self, *, action: str | None, system: str | None, by: str, at: datetime) -> bool:
        """Lift that pause; return whether it stood. Audited where it did."""
        this = (PAUSE.c.action == (action or "")) & (PAUSE.c.system == (system or ""))
        stood = self._connection.execute(delete(PAUSE).where(this)).rowcount == 1
        if stood:
            body = {"action": action, "system": system}
            self.record(chain=INSTALLATION, event="resumed", actor=by, at=at, body=body)
        return stood

    def save_health(self, health: PollHealth) -> None:
        """Store how polling of a source stands."""
        self._save(HEALTH, {"source": health.source, "document": codec.dumps(health)})

    def health(self) -> tuple[PollHealth, ...]:
        """Return how polling stands, by source."""
        query = select(HEALTH.c.document).order_by(HEALTH.c.source)
        return tuple(codec.loads(PollHealth, row) for row in self._connection.scalars(query))

    def setting(self, name: str) -> str | None:
        """Return a stored setting of the installation."""
        return self._connection.scalar(select(SETTING.c.value).where(SETTING.c.name == name))

    def save_setting(self, name: str, value: str) -> None:
        """Store a setting of the installation."""
        self._save(SETTING, {"name": name, "value": value})

    def first_setting(self, name: str, value: str) -> str:
        """Store a setting unless one is stored; return what stands, the same for everybody."""
        if self._insert_new(SETTING, {"name": name, "value": value}):
            return value
        stored = self.setting(name)
        if stored is None:
            raise AssertionError("a setting is never deleted")
        return stored
