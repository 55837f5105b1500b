"""Keep a change's number and address beside its id, so that waiting changes are listed cheaply."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NAMES = ("number", "url")


def upgrade() -> None:
    """Add the two columns, and fill them from the handlings' documents."""
    for name in _NAMES:
        op.add_column(
            "change_record",
            sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")),
        )
    connection = op.get_bind()
    changes = sa.table("change_record", *(sa.column(name) for name in ("system", "id", *_NAMES)))
    handlings = sa.table("handling", sa.column("change_system"), sa.column("document"))
    had_change = sa.select(handlings.c.document).where(handlings.c.change_system.is_not(None))
    for document in connection.scalars(had_change).all():
        change = json.loads(document)["change"]
        owned = (changes.c.system == change["system"]) & (changes.c.id == change["id"])
        named = {name: change[name] for name in _NAMES}
        connection.execute(sa.update(changes).where(owned).values(**named))
