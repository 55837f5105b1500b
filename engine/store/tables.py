"""The tables, and the unique keys that enforce what the code promises.

Whole domain objects stand in `document` columns as JSON text. Text and not the database's own JSON
type: hostile tickets hold NUL characters and lone surrogates, which PostgreSQL refuses and JSON
escapes carry.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from engine.errors import InvalidAnswerError

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant with microseconds; SQLite keeps no zone, so UTC is what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse an instant without a zone, and hand UTC to the driver."""
        if value is None:
            return None
        moment = utc(value)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware UTC, whatever zone the session of the database speaks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class InvalidIdentifierError(InvalidAnswerError, DontWrapMixin):
    """An id that no system of record gives out; SQLAlchemy passes it on as it is."""


class Word(TypeDecorator[str]):
    """A name or an id; what PostgreSQL cannot hold is refused on SQLite as well."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse NUL and lone surrogates.

        Raises:
            InvalidIdentifierError: The text is no valid identifier.
        """
        del dialect
        if value is not None and ("\0" in value or not _is_unicode(value)):
            raise InvalidIdentifierError(
                f"identifier {value!r} holds characters that no id may hold"
            )
        return value


class Prose(TypeDecorator[str]):
    """Words for people; what PostgreSQL cannot hold is written as its escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape NUL and lone surrogates."""
        del dialect
        if value is None:
            return None
        return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def utc(value: datetime) -> datetime:
    """Return the instant in UTC.

    Raises:
        ValueError: It has no zone.
    """
    if value.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return value.astimezone(UTC)


CURSOR = Table(
    "cursor",
    METADATA,
    Column("source", Word, primary_key=True),
    Column("document", Text, nullable=False),
)

TICKET = Table(
    "ticket",
    METADATA,
    Column("system", Word, primary_key=True),
    Column("id", Word, primary_key=True),
    Column("key", Word, nullable=False, index=True),
    Column("version", Word, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Column("erased_at", Instant),
)
Index(
    "ix_ticket_unerased",
    TICKET.c.seen_at,
    sqlite_where=text("erased_at IS NULL"),
    postgresql_where=text("erased_at IS NULL"),
)

BROKEN = Table(
    "broken_record",
    METADATA,
    Column("source", Word, primary_key=True),
    Column("id", Word, primary_key=True),
    Column("why", Prose, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
)

HANDLING = Table(
    "handling",
    METADATA,
    Column("id", Word, primary_key=True),
    Column("system", Word, nullable=False),
    Column("ticket_id", Word, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("stage", Word, nullable=False),
    Column("stage_at", Instant, nullable=False),
    Column("gate", Word, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("is_live", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("wake_at", Instant),
    Column("change_system", Word),
    Column("document", Text, nullable=False),
    UniqueConstraint("system", "ticket_id", "attempt"),
    Index("ix_handling_stage_created_at", "stage", "created_at"),
    Index("ix_handling_change_system_stage", "change_system", "stage"),
)
Index(
    "one_live_handling_per_ticket",
    HANDLING.c.system,
    HANDLING.c.ticket_id,
    unique=True,
    sqlite_where=text("is_live"),
    postgresql_where=text("is_live"),
)
Index(
    "ix_handling_due",
    HANDLING.c.wake_at,
    sqlite_where=text("wake_at IS NOT NULL"),
    postgresql_where=text("wake_at IS NOT NULL"),
)

CHANGE = Table(
    "change_record",
    METADATA,
    Column("system", Word, primary_key=True),
    Column("id", Word, primary_key=True),
    Column("handling", Word, ForeignKey(HANDLING.c.id), nullable=False),
    Column("correlation", Word, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("number", Word, nullable=False, server_default=text("''")),
    Column("url", Word, nullable=False, server_default=text("''")),
    UniqueConstraint("correlation"),
)
Index(
    "one_open_change_per_handling",
    CHANGE.c.handling,
    unique=True,
    sqlite_where=text("is_open"),
    postgresql_where=text("is_open"),
)

EFFECT = Table(
    "effect",
    METADATA,
    Column("key", Word, primary_key=True),
    Column("handling", Word, ForeignKey(HANDLING.c.id), nullable=False, index=True),
    Column("kind", Word, nullable=False),
    Column("action", Word, nullable=False),
    Column("subject", Word, nullable=False),
    Column("phase", Word, nullable=False),
    Column("owner", Word, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_effect_action_started_at", "action", "started_at"),
)

CONSUMPTION = Table(
    "consumption",
    METADATA,
    Column("system", Word, primary_key=True),
    Column("change_id", Word, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("plan_digest", Word, primary_key=True),
    Column("effect", Word, ForeignKey(EFFECT.c.key), nullable=False, unique=True),
)

PAUSE = Table(
    "pause",
    METADATA,
    # "" is every action, every system: a primary key holds no NULL.
    Column("action", Word, primary_key=True),
    Column("system", Word, primary_key=True),
    Column("document", Text, nullable=False),
)

HEALTH = Table(
    "poll_health",
    METADATA,
    Column("source", Word, primary_key=True),
    Column("document", Text, nullable=False),
)

SETTING = Table(
    "setting",
    METADATA,
    Column("name", Word, primary_key=True),
    Column("value", Prose, nullable=False),
)

AUDIT = Table(
    "audit_row",
    METADATA,
    Column("chain", Word, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("event", Word, nullable=False),
    Column("actor", Word, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

HEAD = Table(
    "audit_head",
    METADATA,
    Column("chain", Word, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sealed", BigInteger, nullable=False),
)
Index(
    "ix_audit_head_unsealed",
    HEAD.c.chain,
    sqlite_where=text("number > sealed"),
    postgresql_where=text("number > sealed"),
)

PRIVATE = Table(
    "audit_private",
    METADATA,
    Column("chain", Word, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Word, primary_key=True),
    Column("salt", Text, nullable=False),
    Column("document", Text, nullable=False),
)

SEAL = Table(
    "audit_seal",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("root", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("previous", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

SEAL_LEAF = Table(
    "audit_seal_leaf",
    METADATA,
    Column("seal", BigInteger, ForeignKey(SEAL.c.number), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("chain", Word, nullable=False, index=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
