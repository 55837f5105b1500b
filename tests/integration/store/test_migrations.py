"""The schema: what migrations make is what the tables say, on both databases."""

import dataclasses
import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from engine.errors import ConfigurationError, TransientError
from engine.store import migrate
from engine.store.database import connect, transaction
from engine.store.migrate import upgrade
from engine.store.store import open_store
from engine.store.tables import METADATA


def test_changes_of_the_first_version_get_their_names(url: str, make: Any, tmp_path: Path) -> None:
    engine = connect(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        document = json.dumps({"change": dataclasses.asdict(make.change())})
        connection.execute(
            text(
                "INSERT INTO handling (id, system, ticket_id, attempt, stage, stage_at, gate,"
                " version, is_live, created_at, change_system, document) VALUES ('h', 'servicenow',"
                " 't', 1, 'awaiting', :at, 'change', 1, true, :at, 'servicenow', :document)"
            ),
            {"at": "2026-11-20T12:00:00+00:00", "document": document},
        )
        connection.execute(
            text("INSERT INTO change_record VALUES ('servicenow', 'chg1', 'h', 'h-r1', true)")
        )
    upgrade(engine)
    engine.dispose()
    with closing(open_store(url, data_dir=tmp_path)) as store, store.begin() as unit:
        assert unit.waiting("servicenow") == {"h": make.change()}


def test_the_migrated_schema_is_the_one_that_the_tables_declare(url: str) -> None:
    engine = connect(url)
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, METADATA)
    assert differences == []
    names = {name for name in inspect(engine).get_table_names() if name != "alembic_version"}
    assert names == set(METADATA.tables)
    engine.dispose()


def test_the_comparison_would_see_a_difference(url: str) -> None:
    engine = connect(url)
    upgrade(engine)
    with transaction(engine) as connection:
        connection.execute(text("DROP INDEX one_live_handling_per_ticket"))
        connection.execute(text("ALTER TABLE effect ADD COLUMN surprise TEXT"))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert {difference[0] for difference in found} == {"add_index", "remove_column"}
    engine.dispose()


def test_a_conditional_unique_key_has_the_same_condition_in_both(url: str) -> None:
    """Alembic does not compare conditions, so the two definitions are laid side by side."""
    engine = connect(url)
    upgrade(engine)
    dialect = engine.dialect.name
    declared = {
        str(index.name): str(index.dialect_options[dialect]["where"])
        for table in METADATA.tables.values()
        for index in table.indexes
        if index.dialect_options[dialect]["where"] is not None
    }
    migrated = {
        str(index["name"]): str(index["dialect_options"][f"{dialect}_where"])
        for table in METADATA.tables
        for index in inspect(engine).get_indexes(table)
        if index.get("dialect_options", {}).get(f"{dialect}_where") is not None
    }
    engine.dispose()
    assert len(declared) == 5
    assert {name: where.strip("()") for name, where in migrated.items()} == declared


def test_opening_twice_changes_nothing_and_at_once_is_safe(
    fresh_url: Callable[[], str], tmp_path: Path
) -> None:
    url, errors = fresh_url(), list[BaseException]()
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        try:
            open_store(url, data_dir=tmp_path / "data").close()
        except BaseException as exc:  # noqa: BLE001  shown by the assertion below
            errors.append(exc)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    store = open_store(url, data_dir=tmp_path / "data")
    assert store.verify() is None
    store.close()


def test_a_schema_of_a_newer_version_is_refused(url: str, tmp_path: Path) -> None:
    open_store(url, data_dir=tmp_path / "data").close()
    engine = connect(url)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigurationError, match="newer version"):
        open_store(url, data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://u:pw@h/d", "nonsense", ""]
)
def test_what_is_no_database_of_ours_is_a_fault_of_the_configuration(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url, data_dir=tmp_path)
    assert "pw" not in str(caught.value)


def test_an_unreachable_server_is_tried_again_later_and_its_password_is_not_told(
    tmp_path: Path,
) -> None:
    url = f"postgresql://tiergate:hush-hush@/none?host={tmp_path}"
    with pytest.raises(TransientError) as caught:
        open_store(url, data_dir=tmp_path)
    assert "hush" not in str(caught.value)


@pytest.mark.postgres
def test_a_connection_that_the_server_cuts_is_tried_again_and_wrote_nothing(
    server: Any, make: Any, tmp_path: Path
) -> None:
    url = server.fresh()
    store = open_store(url, data_dir=tmp_path)
    killer = connect(url)

    def cut() -> None:
        with store.begin() as unit:
            make.started(unit)
            with killer.begin() as connection:
                ours = "pid <> pg_backend_pid() AND datname = current_database()"
                connection.execute(
                    text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")  # noqa: S608  a literal
                )
            make.started(unit, "2")

    with pytest.raises(TransientError) as caught:
        cut()
    assert "password" not in str(caught.value)
    with store.begin() as unit:
        assert unit.chains() == ()
        make.started(unit)
    killer.dispose()
    store.close()
