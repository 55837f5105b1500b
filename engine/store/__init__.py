"""The Store port on SQLAlchemy, for SQLite and PostgreSQL with the same code."""
