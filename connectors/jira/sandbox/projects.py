"""Making and removing projects with what belongs to them."""

from connectors.jira.sandbox.definition import Definition
from connectors.jira.sandbox.storage import Store, dumps
from connectors.jira.sandbox.wire import Row

AGENTS = "jira-servicemanagement-users"
USERS = "jira-software-users"
_HOLDERS = {
    "service_desk": (
        ("Administrators", "jira-administrators"),
        ("Service Desk Team", AGENTS),
        ("Service Desk Customers", USERS),
        ("Collaborators", "CAB Approval"),
    ),
    "software": (("Administrators", "jira-administrators"), ("Users", USERS)),
    "business": (("Administrators", "jira-administrators"), ("Users", USERS)),
}


def create_project(
    store: Store,
    definition: Definition,
    *,
    key: str,
    name: str,
    template: str,
    lead: str,
    more: Row,
) -> Row:
    """Make a project with its roles, and its service desk where it is one; return its row."""
    number = more.pop("id", None)
    row: Row = {
        "id": store.counter("project", 10000) if number is None else number,
        "key": key,
        "name": name,
        "template": template,
        "lead": lead,
        **more,
    }
    store.insert("project", row)
    kind = definition.templates[template]["type"]
    for role, group in _HOLDERS[kind]:
        holder = store.value("SELECT id FROM cluster WHERE name=?", group)
        if holder is not None:
            store.run("INSERT INTO project_role VALUES (?, ?, 'group', ?)", row["id"], role, holder)
    if kind == "service_desk":
        store.run("INSERT INTO desk VALUES (?, ?)", store.counter("desk", 1), row["id"])
        for one in definition.templates[template]["request_types"]:
            store.insert(
                "request_type",
                {
                    "id": store.counter("request_type", 1),
                    "project": row["id"],
                    "name": one["name"],
                    "spec": dumps(one),
                },
            )
    found = store.row("SELECT * FROM project WHERE id=?", row["id"])
    return found or row


def remove_project(store: Store, number: int) -> None:
    """Remove a project whose issues are gone already."""
    for table in ("project_role", "component", "version", "desk", "request_type"):
        store.run(
            f"DELETE FROM {table} WHERE project=?",  # noqa: S608 - words of ours
            number,
        )
    store.run("DELETE FROM project WHERE id=?", number)
