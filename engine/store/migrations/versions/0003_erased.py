"""Note when a ticket's personal texts were erased, so that retention finds what is left cheaply."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_LEFT = "erased_at IS NULL"


def upgrade() -> None:
    """Add the column and the index over what was not erased; what is erased already is found."""
    op.add_column("ticket", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_ticket_unerased",
        "ticket",
        ["seen_at"],
        unique=False,
        sqlite_where=sa.text(_LEFT),
        postgresql_where=sa.text(_LEFT),
    )
    connection = op.get_bind()
    ticket = sa.table(
        "ticket", *(sa.column(name) for name in ("system", "id", "seen_at", "erased_at"))
    )
    rows = sa.table("audit_row", *(sa.column(name) for name in ("chain", "event", "at")))
    erased = sa.select(rows.c.chain, sa.func.max(rows.c.at)).where(rows.c.event == "erased")
    for chain, at in connection.execute(erased.group_by(rows.c.chain)).all():
        system, _, record = chain.partition(":")
        this = (ticket.c.system == system) & (ticket.c.id == record) & (ticket.c.seen_at <= at)
        connection.execute(sa.update(ticket).where(this).values(erased_at=at))
