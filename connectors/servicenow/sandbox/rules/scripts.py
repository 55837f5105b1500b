"""Business rules kept as records (sys_script): those that abort where their condition holds."""

from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.query.sql import Compiler, Scope
from connectors.servicenow.sandbox.query.values import QueryEnv
from connectors.servicenow.sandbox.records import Records, aborted_by
from connectors.servicenow.sandbox.store import Row


class ScriptRules:
    """Applies the active rules of sys_script; the list is read again when it changes."""

    def __init__(self) -> None:
        self._mark: object = None
        self._rules: list[Row] = []

    def after_write(self, records: Records, writing: Writing) -> None:
        """Refuse a write that a rule aborts; the transaction around it is taken back.

        Raises:
            AbortedError: a rule's condition holds for the record as written.
        """
        if writing.table.name in ("sys_script", "sys_journal_field", "sys_audit"):
            return
        mark = records.store.version("sys_metadata")
        if mark != self._mark:
            self._rules = [
                rule
                for rule in records.find("sys_script", active="true", abort_action="true")
                if rule["when"] == "before"
            ]
            self._mark = mark
        action = "action_insert" if writing.old is None else "action_update"
        lineage = set(records.schema.lineage(writing.table.name))
        for rule in self._rules:
            concerned = rule[action] == "true" and rule["collection"] in lineage
            if concerned and holds(
                records, writing.table.name, rule["filter_condition"], writing.new["sys_id"]
            ):
                raise aborted_by(writing.table.name, rule["name"], rule["sys_id"])


def holds(records: Records, table: str, condition: str, sys_id: str) -> bool:
    """Say whether an encoded query holds for one record."""
    if not condition:
        return True
    env = QueryEnv(now=records.clock.now(), zone=SYSTEM.zone, user_id="", user_name="system")
    compiler = Compiler(Scope(records.schema, records.table(table), env))
    where = compiler.where(parse(condition))
    sql = f"SELECT 1 FROM {compiler.scope.from_clause()} WHERE {where} AND t.sys_id = ?"  # noqa: S608 - compiled, values bound
    return bool(records.store.rows(sql, (*compiler.parameters, sys_id)))


def register(records: Records) -> None:
    """Put the rules in force."""
    records.after("*", ScriptRules().after_write)
