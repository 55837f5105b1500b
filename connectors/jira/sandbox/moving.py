"""Moving issues between projects."""

from connectors.jira.sandbox import index
from connectors.jira.sandbox.site import Site
from connectors.jira.sandbox.wire import Row


def move_issue(site: Site, issue: Row, project: Row, wanted: str = "") -> str:
    """Move an issue and return its new key: its old key goes on naming it.

    It keeps its type (unless one is wanted) and its status where the project knows them.
    """
    number = project["counter"] + 1
    key = f"{project['key']}-{number}"
    types = site.definition.types_of(project["template"])
    kind = next(
        (one["id"] for one in types if one["id"] == (wanted or issue["type"])), types[0]["id"]
    )
    flow = site.definition.workflow(project["template"], kind)
    row: Row = {
        "project": project["id"],
        "number": number,
        "key": key,
        "type": kind,
        "status": issue["status"] if issue["status"] in flow.statuses else flow.initial,
        "request_type": None,
        "updated": site.now(),
    }
    site.store.run("UPDATE project SET counter=? WHERE id=?", number, project["id"])
    site.store.run("INSERT OR REPLACE INTO moved VALUES (?, ?)", issue["key"], issue["id"])
    site.store.update("issue", issue["id"], row)
    index.refresh(site, issue["id"])
    return key
