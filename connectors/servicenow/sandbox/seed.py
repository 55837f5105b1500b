"""What an instance holds before anybody writes: people, configuration, demo records, mass data."""

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from connectors.sandboxkit.organisation import Organisation, load_organisation
from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.mass import add_incidents
from connectors.servicenow.sandbox.records import AbortedError, DuplicateError
from connectors.servicenow.sandbox.seed_catalogue import add_platform_rows
from connectors.servicenow.sandbox.seed_ids import stable_id

_MARK = "sandbox.seed"
_NATURAL = ("name", "user_name", "number", "title", "file_name", "question_text")


@functools.cache
def _demo() -> Mapping[str, dict[str, list[dict[str, Any]]]]:
    folder = resources.files("connectors.servicenow.sandbox").joinpath("data")
    data: dict[str, dict[str, list[dict[str, Any]]]] = YAML(typ="safe", pure=True).load(
        folder.joinpath("demo.yaml").read_text("utf-8")
    )
    return data


class Seeder:
    """Fills an instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def ensure(self, kind: str) -> None:
        """Seed a database that holds nothing yet; keep one that does."""
        if not self._instance.property(_MARK):
            self._fill(kind)

    def run(self, raw: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out POST /seed.

        `{"kind": "demo"|"empty"}` starts anew; `{"kind": "records", "table": .., "records": [..]}`
        inserts as the system would, without state rules (display values allowed);
        `{"kind": "incidents", "count": n}` adds mass data.

        Raises:
            ValueError: the body names nothing that can be seeded.
        """
        kind = raw.get("kind")
        if kind in ("demo", "empty"):
            self._instance.store.wipe()
            self._instance.tokens.revoke_all()
            self._fill(str(kind))
            return {"kind": kind}
        if kind == "records":
            return self._given(raw)
        if kind == "incidents":
            return self._mass(raw)
        raise ValueError("kind is demo, empty, records or incidents")

    def _given(self, raw: Mapping[str, object]) -> Mapping[str, object]:
        table, rows = str(raw.get("table", "")), raw.get("records")
        if table not in self._instance.schema.tables or not isinstance(rows, list):
            raise ValueError("records need a known table and a list")
        made: list[str] = []
        with self._instance.store.transaction():
            for row in rows:
                if not isinstance(row, dict):
                    raise ValueError("a record is an object")  # noqa: TRY004 - the admin API answers 400 for ValueError
                values = {str(name): text_of(value) for name, value in row.items()}
                try:
                    made.append(self._insert(table, values)["sys_id"])
                except (AbortedError, DuplicateError) as error:
                    raise ValueError(f"{values}: {error!r}") from error
        return {"kind": "records", "sys_ids": made}

    def _mass(self, raw: Mapping[str, object]) -> Mapping[str, object]:
        count = raw.get("count")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError("count is a number above 0")
        add_incidents(self._instance, count)
        return {"kind": "incidents", "count": count}

    def _fill(self, kind: str) -> None:
        data = _demo()
        with self._instance.store.transaction():
            self._people(load_organisation(), data["base"])
            self._load(data["base"], skip=("sys_user_role", "cmn_department"))
            self._roles(load_organisation())
            add_platform_rows(self._instance)
            if kind == "demo":
                self._load(data["demo"])
            self._insert("sys_properties", {"name": _MARK, "value": kind})
        # What the seed holds has been there for ever, also for an index that lags.
        self._instance.store.past.forget()

    def _load(self, tables: Mapping[str, list[dict[str, Any]]], skip: tuple[str, ...] = ()) -> None:
        for table, rows in tables.items():
            if table not in skip:
                for row in rows:
                    values = {name: str(value) for name, value in row.items()}
                    self._insert(table, values)

    def _insert(self, table: str, values: dict[str, str]) -> dict[str, str]:
        name = next((values[key] for key in _NATURAL if values.get(key)), "")
        if name and "sys_id" not in values:
            where = values.get("cat_item", "") or values.get("question", "")
            values = {**values, "sys_id": stable_id(table, where + name)}
        return self._records.insert(table, values, SYSTEM, keep_system=True)

    def _people(self, organisation: Organisation, base: Mapping[str, list[dict[str, Any]]]) -> None:
        self._load({name: base[name] for name in ("sys_user_role", "cmn_department")})
        for person in organisation.people:
            first, _, last = person.name.partition(" ")
            manager = organisation.person(person.manager).servicenow if person.manager else ""
            self._insert(
                "sys_user",
                {
                    "sys_id": person.servicenow,
                    "user_name": person.uid,
                    "first_name": first,
                    "last_name": last,
                    "email": person.mail,
                    "employee_number": person.employee_number,
                    "department": person.department,
                    "manager": manager,
                    "vip": "true" if person.vip else "false",
                    "user_password": person.password,
                },
            )
        for account in organisation.accounts:
            first, _, last = account.name.partition(" ")
            integration = account.kind == "integration"
            self._insert(
                "sys_user",
                {
                    "sys_id": account.servicenow,
                    "user_name": account.uid,
                    "first_name": first,
                    "last_name": last,
                    "email": f"{account.uid}@example.com",
                    "user_password": account.password,
                    "department": "Finance" if account.kind == "admin" else "",
                    "time_zone": "GMT" if integration else "",
                    "web_service_access_only": "true" if integration else "false",
                    "internal_integration_user": "false",
                },
            )
        for group in organisation.itsm_groups:
            self._insert("sys_user_group", {"sys_id": group.servicenow, "name": group.name})
            for uid in group.members:
                user = organisation.person(uid).servicenow
                number = stable_id("sys_user_grmember", group.servicenow + user)
                row = {"sys_id": number, "user": user, "group": group.servicenow}
                self._insert("sys_user_grmember", row)

    def _roles(self, organisation: Organisation) -> None:
        given: list[tuple[str, str]] = []
        for person in organisation.people:
            if person.agent:
                given.append((person.servicenow, "itil"))
            if person.approver:
                given.append((person.servicenow, "approver_user"))
        integration = organisation.account("integration").servicenow
        given += [(integration, role) for role in ("itil", "history_reader", "role_reader")]
        roles = self._instance.store.rows("SELECT name FROM sys_user_role ORDER BY name")
        admin = organisation.account("admin").servicenow
        # The administrator of a developer instance has between ten and twenty-five role rows.
        given += [(admin, "admin")]
        given += [(admin, str(name)) for (name,) in roles if name not in _NOT_ADMINS][:18]
        for user, role in given:
            number = stable_id("sys_user_has_role", user + role)
            self._insert("sys_user_has_role", {"sys_id": number, "user": user, "role": role})


_NOT_ADMINS = ("admin", "snc_read_only", "history_reader", "role_reader")
