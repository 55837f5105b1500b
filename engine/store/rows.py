"""What every group of rows shares: one connection, and inserts that tell whether they were news."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


class Rows:
    """The base of the unit of work: everything happens on one connection, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _is_postgresql(self) -> bool:
        return self._connection.dialect.name == "postgresql"

    def _insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        return postgresql.insert(table) if self._is_postgresql else sqlite.insert(table)

    def _insert_new(self, table: Table, values: Mapping[str, Any]) -> bool:
        """Insert, unless any unique key is taken; return whether the row is there now.

        Another transaction that holds the key is waited for, so the answer is final.
        """
        statement = self._insert(table).values(**values).on_conflict_do_nothing()
        # Without the option SQLAlchemy forgets the count of an INSERT on some drivers.
        kept = statement.execution_options(preserve_rowcount=True)
        return self._connection.execute(kept).rowcount == 1

    def _save(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert, or replace the row with the same primary key."""
        keys = [column.name for column in table.primary_key]
        statement = (
            self._insert(table)
            .values(**values)
            .on_conflict_do_update(
                index_elements=keys,
                set_={name: value for name, value in values.items() if name not in keys},
            )
        )
        self._connection.execute(statement)
