"""How components and versions of projects look, and in which order they stand."""

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row


def parts(call: Call, table: str, project: int) -> list[Row]:
    """Return the components or versions of a project."""
    return [part_bean(call, table, row) for row in ordered_rows(call, table, project)]


def ordered_rows(call: Call, table: str, project: int) -> list[Row]:
    """Return the components or versions of a project in their order: by id until moved."""
    rows = call.store.rows(
        f"SELECT * FROM {table} WHERE project=? ORDER BY id",  # noqa: S608 - a word of ours
        project,
    )
    name = f"order.{table}.{project}"
    moved = loads(call.store.value("SELECT value FROM site WHERE name=?", name)) or []
    places = {number: place for place, number in enumerate(moved)}
    return sorted(rows, key=lambda row: (places.get(row["id"], len(places)), row["id"]))


def part_bean(call: Call, table: str, row: Row) -> Row:
    """Return a component or a version."""
    where = {"self": f"{call.api}/{table}/{row['id']}", "id": str(row["id"]), "name": row["name"]}
    if table == "version":
        where |= {"archived": False, "released": False, "projectId": row["project"]}
    else:
        key = call.store.value("SELECT key FROM project WHERE id=?", row["project"])
        where |= {"project": key, "projectId": row["project"]}
    detail = loads(row["detail"])
    given = [detail.pop(one, None) for one in ("leadAccountId", "leadUserName")]
    account = next((call.people.named(str(one)) for one in given if one), None)
    if account is not None:
        detail["lead"] = beans.user(call, account)
    if table == "component":
        where |= _assignment(call, row["project"], detail.get("assigneeType"), account)
    return {**where, **detail}


def _assignment(call: Call, project: int, kind: Json, lead: Account | None) -> Row:
    """Return whom a component assigns by its settings, and whom in fact.

    A lead to whom nothing can be assigned leaves it to the project's default.
    """
    row = call.store.row("SELECT lead, assignee_type FROM project WHERE id=?", project) or {}
    head = call.people.by_id(str(row.get("lead")))
    default = head if row.get("assignee_type") == "PROJECT_LEAD" else None
    kind = str(kind or "PROJECT_DEFAULT")
    chosen = {"COMPONENT_LEAD": lead, "PROJECT_LEAD": head, "UNASSIGNED": None}.get(kind, default)
    needed = kind in {"COMPONENT_LEAD", "PROJECT_LEAD"}
    fits = chosen is not None and call.people.may(chosen, "ASSIGNABLE_USER", project)
    valid = fits or not needed
    real = chosen if valid else default
    bean: Row = {
        "assigneeType": kind,
        "realAssigneeType": kind if valid else "PROJECT_DEFAULT",
        "isAssigneeTypeValid": valid,
    }
    for name, account in (("assignee", chosen), ("realAssignee", real)):
        if account is not None:
            bean[name] = beans.user(call, account)
    return bean
