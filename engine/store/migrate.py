"""Migrations: the schema moves to this version at every start, in one transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, func, select

from engine.errors import ConfigurationError
from engine.store.database import transaction

_LOCK = 0x7469657267617466  # on PostgreSQL one daemon of a cluster migrates at a time


def upgrade(engine: Engine) -> None:
    """Bring the schema to this version; nothing happens where it is there already.

    Raises:
        ConfigurationError: The schema is newer than this version of Tiergate.
        TransientError: The database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as exc:
            raise ConfigurationError(f"store: {exc}; was a newer version here before?") from exc
