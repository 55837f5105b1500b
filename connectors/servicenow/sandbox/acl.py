"""Who may read and write what: rows, columns, whole tables; the rules of a plain instance.

Row rules are applied after the page was cut, as the vendor does (short pages, a total that counts
what the caller cannot see); the before-query rule of incidents narrows the query itself.
"""

from collections.abc import Callable, Mapping, Sequence

from connectors.servicenow.sandbox.actors import Actor
from connectors.servicenow.sandbox.schema import Schema, Table
from connectors.servicenow.sandbox.store import Row, Store

RowRule = Callable[[Row], bool]

# Everybody who is logged in reads these.
_OPEN = frozenset({
    "sys_user", "sys_user_group", "sys_user_grmember", "sys_user_role", "sys_user_group_type",
    "cmn_department", "cmn_location", "core_company", "cmn_schedule", "sys_choice", "sc_catalog",
    "sc_category", "sc_cat_item", "sc_cat_item_producer", "sc_cat_item_guide", "item_option_new",
    "question_choice",
    "kb_knowledge_base", "kb_category", "chg_model", "sttrm_state", "sttrm_state_transition",
    "sttrm_transition_condition", "sys_user_delegate", "sys_attachment",
    "std_change_producer_version", "std_change_record_producer", "std_change_template",
    "cmn_schedule_condition", "cmn_schedule_blackout", "cmn_schedule_maintenance",
    "cmn_schedule_span", "cmdb_rel_type",
})  # fmt: skip
# These need a role that agents have.
_STAFF = frozenset({
    "sys_journal_field", "sys_dictionary", "cmdb_ci", "cmdb_rel_ci", "task_ci", "conflict",
    "task_cmdb_ci_service", "task_service_offering",
    "change_approval_definition", "sys_group_has_role", "sc_multi_row_question_answer",
    "question_answer",
})  # fmt: skip
# The vendor answers 403 for these to an account without admin, not an empty list.
FORBIDDEN = frozenset({
    "sys_db_object", "sys_plugins", "sys_audit_delete", "metric_definition",
})  # fmt: skip
_HISTORY = frozenset({"sys_audit", "sys_history_set", "sys_history_line"})
_READ_ROLES: Mapping[str, tuple[str, ...]] = {
    "incident": ("itil", "sn_incident_read"),
    "incident_task": ("itil", "sn_incident_read"),
    "problem": ("itil", "sn_problem_read"),
    "problem_task": ("itil", "sn_problem_read"),
    "change_request": ("itil", "sn_change_read"),
    "change_task": ("itil", "sn_change_read"),
    "sn_si_incident": ("sn_si.integration_user", "sn_si.analyst"),
}
_WRITE_ROLES: Mapping[str, tuple[str, ...]] = {
    "incident": ("itil", "sn_incident_write"),
    "incident_task": ("itil", "sn_incident_write"),
    "problem": ("itil",),
    "problem_task": ("itil",),
    "change_request": ("itil", "sn_change_write"),
    "change_task": ("itil", "sn_change_write"),
    "sc_request": ("itil",),
    "sc_req_item": ("itil",),
    "sc_task": ("itil",),
    "task": ("itil",),
    "std_change_proposal": ("itil", "sn_change_write"),
    "cmn_schedule": ("itil_admin",),
    "cmn_schedule_span": ("itil_admin",),
    "task_ci": ("itil",),
    "task_cmdb_ci_service": ("itil",),
    "task_service_offering": ("itil",),
    "conflict": ("itil",),
    "sys_attachment": ("itil",),
    "sn_si_incident": ("sn_si.integration_user", "sn_si.analyst"),
    "kb_knowledge": ("knowledge", "knowledge_admin"),
    "sys_user": ("user_admin",),
    "sys_user_grmember": ("user_admin",),
    "sys_user_group": ("user_admin",),
    "cmdb_ci": ("itil_admin", "asset"),
}
_OWN = ("caller_id", "opened_by", "requested_for", "affected_user", "requested_by")
_HIDDEN_FROM_APPROVERS = frozenset({
    "test_plan", "work_notes", "comments_and_work_notes", "work_notes_list",
})  # fmt: skip
_SYSTEM_COLUMNS = frozenset({
    "sys_id", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by",
    "sys_mod_count", "sys_class_name", "sys_domain", "sys_domain_path", "sys_tags",
})  # fmt: skip
_NOT_WRITABLE = _SYSTEM_COLUMNS | {"approval", "approval_set", "task_effective_number"}
# The shipped data lookup computes the priority of these from impact and urgency.
_COMPUTED_PRIORITY = frozenset({"incident", "problem", "change_request"})
_SELF_SERVICE_INCIDENT = frozenset({
    "caller_id", "short_description", "description", "comments", "category", "subcategory",
    "urgency", "impact", "contact_type", "cmdb_ci", "correlation_id", "correlation_display",
    "business_service", "watch_list",
})  # fmt: skip
_DELETABLE = ("task_ci", "task_cmdb_ci_service", "task_service_offering", "sys_attachment")
_APPROVER_WRITES = frozenset({"state", "comments"})


class AccessRules:
    """Answers every access question of one sandbox."""

    def __init__(self, store: Store, schema: Schema, now: Callable[[], str]) -> None:
        self._store = store
        self._schema = schema
        self._now = now

    def forbidden(self, actor: Actor, table: Table) -> bool:
        """Say whether the API refuses the whole table with 403."""
        return table.name in FORBIDDEN and not actor.is_admin

    def row_rule(self, actor: Actor, table: Table) -> RowRule | None:
        """Return the rule that a row must pass to be seen, or None where every row is."""
        if actor.is_admin:
            return None
        if not actor.user_name or actor.roles == frozenset({"snc_read_only"}):
            return _never
        if table.root == "task":
            return _in_global_domain(self._task_rule(actor, table))
        return self._other_rule(actor, table)

    def page_rule(self, actor: Actor, table: Table, ids: Sequence[int]) -> RowRule | None:
        """Return the rule for the rows of one page, or None where every one of them is seen.

        Domains are rare: one look at the page spares most pages a look at every row.
        """
        if actor.is_admin or table.root != "task" or not actor.user_name:
            return self.row_rule(actor, table)
        rule = self._task_rule(actor, table)
        if rule is None and self._store.any_of(table, ids, "sys_domain != 'global'"):
            return _in_global_domain(None)
        return rule if rule is None else _in_global_domain(rule)

    def _other_rule(self, actor: Actor, table: Table) -> RowRule | None:
        special = self._special_rule(actor, table.name)
        if special is not None:
            return special
        roots = set(self._schema.lineage(table.name))
        passes = table.name in _OPEN or bool(roots & _STAFF and actor.has("itil"))
        passes = passes or bool(roots & _HISTORY and actor.has("history_reader"))
        return None if passes else _never

    def _special_rule(self, actor: Actor, name: str) -> RowRule | None:
        if name == "sysapproval_approver" and not actor.has("itil"):
            stands_for = self.stands_for(actor)
            return lambda row: row["approver"] in stands_for
        reads_roles = actor.has("user_admin", "role_reader")
        if name == "sys_user_preference" or (name == "sys_user_has_role" and not reads_roles):
            return lambda row: row["user"] == actor.sys_id
        if name == "kb_knowledge" and not actor.has("itil", "knowledge"):
            return lambda row: row["workflow_state"] == "published"
        if name in ("sc_item_option_mtom", "sc_item_option") and not actor.has("itil"):
            return lambda row: row["sys_created_by"] == actor.user_name
        if name in ("sc_cart", "sc_cart_item"):
            return lambda row: row["sys_created_by"] == actor.user_name
        passes = ("sysapproval_approver", "sys_user_has_role", "kb_knowledge", "sc_item_option",
                  "sc_item_option_mtom")  # fmt: skip
        return _always if name in passes else None

    def stands_for(self, actor: Actor) -> frozenset[str]:
        """Return the users whose approvals the account may give: itself and who delegated to it."""
        now = self._now()
        found = self._store.find(
            self._schema.tables["sys_user_delegate"],
            "delegate = ? AND approvals = 'true' AND coalesce(starts, '') <= ? "
            "AND coalesce(ends, '9') >= ?",
            (actor.sys_id, now, now),
        )
        return frozenset({actor.sys_id, *(row["user"] for row in found)})

    def _task_rule(self, actor: Actor, table: Table) -> RowRule | None:
        if table.name != "task":
            roles = _READ_ROLES.get(table.name, ("itil",))
            if actor.has(*roles):
                return None
        approving: frozenset[str] = frozenset()
        if actor.has("approver_user"):
            stands_for = self.stands_for(actor)
            marks = ",".join("?" * len(stands_for))
            found = self._store.rows(
                "SELECT sysapproval FROM sysapproval_approver "  # noqa: S608 - marks only
                f"WHERE approver IN ({marks})",
                tuple(stands_for),
            )
            approving = frozenset(str(one[0]) for one in found)

        def readable(row: Row) -> bool:
            if actor.has(*_READ_ROLES.get(row["sys_class_name"], ("itil",))):
                return True
            if row["sys_id"] in approving or row.get("parent") in approving:
                return True
            return actor.sys_id in [row.get(name) for name in _OWN]

        return readable

    def hidden_columns(self, actor: Actor, table: Table) -> frozenset[str]:
        """Return the columns that are absent from this account's answers."""
        if table.name == "sys_user" and not actor.has("itil", "user_admin"):
            return frozenset({"failed_attempts", "locked_out", "user_password", "employee_number"})
        if table.root == "task" and not actor.has("itil", "sn_change_read", "sn_incident_read"):
            return _HIDDEN_FROM_APPROVERS
        return frozenset()

    def query_rule(self, actor: Actor, table: Table) -> str:
        """Return the encoded query that a before-query rule adds, or ""."""
        if table.name == "incident" and not actor.has("itil", "sn_incident_read"):
            me = actor.sys_id
            return f"caller_id={me}^ORopened_by={me}^ORwatch_listLIKE{me}"
        return ""

    def can_create(self, actor: Actor, table: Table) -> bool:
        """Say whether the account may insert into a table."""
        if actor.is_admin:
            return True
        if table.name == "incident":
            return bool(actor.user_name)
        return self._writes(actor, table)

    def _writes(self, actor: Actor, table: Table) -> bool:
        roles = next(
            (
                _WRITE_ROLES[name]
                for name in self._schema.lineage(table.name)
                if name in _WRITE_ROLES
            ),
            (),
        )
        if table.name == "sysapproval_group":
            return False
        return bool(roles) and not actor.roles.isdisjoint(roles)

    def can_write(self, actor: Actor, table: Table, row: Row) -> bool:
        """Say whether the account may update a record."""
        if actor.is_admin:
            return True
        if table.name == "sysapproval_approver":
            return row["approver"] in self.stands_for(actor) and row["state"] == "requested"
        if table.name == "incident" and not actor.has("itil", "sn_incident_write"):
            return actor.sys_id in (row["caller_id"], row["opened_by"])
        return self._writes(actor, table)

    def can_delete(self, actor: Actor, table: Table) -> bool:
        """Say whether the account may delete from a table."""
        if actor.is_admin:
            return True
        return table.name in _DELETABLE and self._writes(actor, table)

    def writable(self, actor: Actor, table: Table, name: str, *, creating: bool) -> bool:
        """Say whether a column takes this account's value; where not, the value is passed over."""
        if actor.is_admin:
            return True
        if name == "priority" and table.name in _COMPUTED_PRIORITY:
            return False
        if name in _NOT_WRITABLE:
            return name == "sys_id" and creating
        if table.name == "sysapproval_approver":
            return name in _APPROVER_WRITES
        if table.name == "incident" and not actor.has("itil", "sn_incident_write"):
            return name in _SELF_SERVICE_INCIDENT
        return True


def _in_global_domain(rule: RowRule | None) -> RowRule:
    """Add domain separation: a task of another domain is counted and not shown."""
    return lambda row: (
        row.get("sys_domain", "") in ("", "global") and (rule is None or rule(row))
    )  # fmt: skip


def _never(_row: Row) -> bool:
    return False


def _always(_row: Row) -> bool:
    return True
