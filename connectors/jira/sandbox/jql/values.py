"""What the operands of a query mean: ids of users, statuses and the like, and functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from connectors.jira.sandbox.definition import FieldSpec, load_definition
from connectors.jira.sandbox.jql.sql import Sql
from connectors.jira.sandbox.jql.syntax import Clause, Function, JqlError, Literal, Operand
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row


@dataclass(slots=True)
class Scope:
    """The caller and the moment in which a query is read."""

    call: Call
    filters: tuple[int, ...] = ()
    """The saved filters whose queries are being read, outermost first."""
    now: int = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.call.site.now()

    def day(self, at: int) -> str:
        """Return the day of an instant in the caller's zone."""
        moment = datetime.fromtimestamp(at / 1000, tz=UTC).astimezone(self.call.zone)
        return f"{moment:%Y-%m-%d}"

    def issue_row(self, operand: Operand, name: str) -> Row:
        """Return the issue that a key or id names.

        Raises:
            JqlError: there is none that the caller can see.
        """
        text = operand.text if isinstance(operand, Literal) else operand.name
        store = self.call.store
        row = store.row(
            "SELECT i.id, i.project, i.number FROM issue i WHERE i.key=? OR i.id=?"
            " UNION SELECT i.id, i.project, i.number FROM issue i JOIN moved m ON m.issue=i.id"
            " WHERE m.old=?",
            text.upper(),
            text if text.isdigit() else -1,
            text.upper(),
        )
        if row is None or not self.call.may("BROWSE_PROJECTS", row["project"]):
            kind = "id" if text.isdigit() else "key"
            raise JqlError(f"An issue with {kind} '{text}' does not exist for field '{name}'.")
        return row

    def issue_ids(self, operand: Operand, name: str) -> list[Json]:
        """Return the ids of the issues that an operand names."""
        if isinstance(operand, Function):
            found = LISTING.get(operand.name.lower())
            if found is None:
                raise unknown(operand)
            return found(self, operand)
        return [self.issue_row(operand, name)["id"]]


def is_empty(operand: Operand) -> bool:
    """Say whether an operand is the word EMPTY or NULL."""
    return (
        isinstance(operand, Literal)
        and not operand.quoted
        and operand.text.casefold() in {"empty", "null"}
    )


def unknown(function: Function) -> JqlError:
    """Return the refusal of a function that does not exist."""
    return JqlError(
        f"Unable to find JQL function '{function.name}({', '.join(function.arguments)})'."
    )


def ids(scope: Scope, spec: FieldSpec, operand: Operand, clause: Clause) -> list[Json]:
    """Return the kept values that an operand stands for.

    Raises:
        JqlError: the value does not exist for the field.
    """
    if isinstance(operand, Function):
        return _of_function(scope, spec, operand)
    found = _LOOKUPS.get(spec.kind, _as_text)(scope, spec, operand.text)
    if found is None:
        raise JqlError(f"The value '{operand.text}' does not exist for the field '{clause.field}'.")
    return [found]


_ANY = load_definition().fields["project"]
_Lookup: TypeAlias = Callable[[Scope, FieldSpec, str], Json]


def _as_text(_scope: Scope, _spec: FieldSpec, value: str) -> Json:
    return value


def _project(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    row = scope.call.store.row(
        "SELECT id FROM project WHERE key=? OR name=? COLLATE NOCASE OR id=?",
        value.upper(),
        value,
        value if value.isdigit() else -1,
    )
    call = scope.call
    if row is None:
        return None
    # An anonymous caller of Cloud's search (an expired token makes one) is told nothing at all:
    # 200 and no issues, where somebody who is logged in reads that the project does not exist.
    silent = call.cloud and call.caller is None
    return row["id"] if silent or call.may("BROWSE_PROJECTS", row["id"]) else None


def _stock(scope: Scope, spec: FieldSpec, value: str) -> Json:
    definition = scope.call.definition
    table = {
        "status": definition.statuses,
        "priority": definition.priorities,
        "resolution": definition.resolutions,
        "issuetype": definition.types,
    }[spec.kind]
    found = definition.find(table, value)
    return None if found is None else found["id"]


def _user(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    found = scope.call.people.named(value)
    return None if found is None else found.id


def _group(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    found = scope.call.people.group(value)
    return None if found is None else found["id"]


def _option(_scope: Scope, spec: FieldSpec, value: str) -> Json:
    found = spec.option(value)
    return None if found is None else found.id


def _request_type(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    name = value.split("(", 1)[0].strip()
    return scope.call.store.value(
        "SELECT id FROM request_type WHERE name=? COLLATE NOCASE OR id=?",
        name,
        value if value.isdigit() else -1,
    )


def _child(scope: Scope, spec: FieldSpec, value: str) -> Json:
    table = "component" if spec.kind == "components" else "version"
    return scope.call.store.value(
        f"SELECT id FROM {table} WHERE name=? COLLATE NOCASE OR id=?",  # noqa: S608 - a word of ours
        value,
        value if value.isdigit() else -1,
    )


def _issue(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    return scope.issue_row(Literal(value, quoted=True), "issue")["id"]


def _sprint(scope: Scope, _spec: FieldSpec, value: str) -> Json:
    return scope.call.store.value(
        "SELECT id FROM sprint WHERE name=? COLLATE NOCASE OR id=?",
        value,
        value if value.isdigit() else -1,
    )


def _unresolved(scope: Scope, spec: FieldSpec, value: str) -> Json:
    return _stock(scope, spec, value)


_LOOKUPS: Mapping[str, _Lookup] = {
    "project": _project,
    "status": _stock,
    "priority": _stock,
    "resolution": _unresolved,
    "issuetype": _stock,
    "user": _user,
    "users": _user,
    "watches": _user,
    "groups": _group,
    "option": _option,
    "options": _option,
    "requesttype": _request_type,
    "components": _child,
    "versions": _child,
    "parent": _issue,
    "epiclink": _issue,
    "sprints": _sprint,
    "issuelinks": _issue,
}


_SPRINTS = {"opensprints": "active", "futuresprints": "future", "closedsprints": "closed"}


def _of_function(scope: Scope, spec: FieldSpec, function: Function) -> list[Json]:
    name = function.name.lower()
    people = scope.call.people
    if spec.kind in {"user", "users", "watches"}:
        if name == "currentuser":
            return [scope.call.caller.id] if scope.call.caller else []
        if name == "membersof":
            group = people.group(function.arguments[0]) if function.arguments else None
            if group is None:
                raise JqlError(
                    f"Function '{function.name}' can not generate a list of usernames for group"
                    f" '{', '.join(function.arguments)}'; the group does not exist."
                )
            return [one.id for one in people.members(group["id"])]
    if spec.kind == "project" and name == "projectsleadbyuser":
        lead = people.named(function.arguments[0]) if function.arguments else scope.call.caller
        rows = scope.call.store.rows("SELECT id FROM project WHERE lead=?", lead.id if lead else "")
        return [row["id"] for row in rows]
    if spec.kind == "issuetype" and name in {"standardissuetypes", "subtaskissuetypes"}:
        sub = name.startswith("sub")
        types = scope.call.definition.types.values()
        return [one["id"] for one in types if bool(one.get("subtask")) is sub]
    if spec.kind == "sprints" and name in _SPRINTS:
        sql = "SELECT id FROM sprint WHERE state=?"
        return [row["id"] for row in scope.call.store.rows(sql, _SPRINTS[name])]
    if spec.kind == "versions" and name in {"releasedversions", "unreleasedversions"}:
        return _versions(scope, function, released=name.startswith("released"))
    raise unknown(function)


def _versions(scope: Scope, function: Function, *, released: bool) -> list[Json]:
    projects = [_project(scope, _ANY, one) for one in function.arguments]
    return [
        row["id"]
        for row in scope.call.store.rows("SELECT * FROM version")
        if bool(loads(row["detail"]).get("released")) is released
        and (not projects or row["project"] in projects)
    ]


# --- functions that list issues


def _linked(scope: Scope, function: Function) -> list[Json]:
    if not function.arguments:
        raise JqlError(f"Function '{function.name}' expects at least one argument.")
    issue = scope.issue_row(Literal(function.arguments[0], quoted=True), "issue")
    wanted = function.arguments[1].casefold() if len(function.arguments) > 1 else ""
    rows = scope.call.store.rows(
        "SELECT type, target AS other, 1 AS outward FROM link WHERE source=?"
        " UNION ALL SELECT type, source, 0 FROM link WHERE target=?",
        issue["id"],
        issue["id"],
    )
    found: list[Json] = []
    for row in rows:
        kind = scope.call.definition.link_types[row["type"]]
        shown = kind["outward"] if row["outward"] else kind["inward"]
        if not wanted or wanted == shown.casefold():
            found.append(row["other"])
    return found


def _watched(scope: Scope, _function: Function) -> list[Json]:
    me = scope.call.caller.id if scope.call.caller else ""
    return [
        row["issue"]
        for row in scope.call.store.rows("SELECT issue FROM watcher WHERE account=?", me)
    ]


def _voted(scope: Scope, _function: Function) -> list[Json]:
    me = scope.call.caller.id if scope.call.caller else ""
    return [
        row["issue"] for row in scope.call.store.rows("SELECT issue FROM vote WHERE account=?", me)
    ]


def _updated_by(scope: Scope, function: Function) -> list[Json]:
    who = scope.call.people.named(function.arguments[0]) if function.arguments else None
    rows = scope.call.store.rows(
        "SELECT DISTINCT issue FROM history WHERE author=?", who.id if who else ""
    )
    return [row["issue"] for row in rows]


LISTING: Mapping[str, Callable[[Scope, Function], list[Json]]] = {
    "linkedissues": _linked,
    "watchedissues": _watched,
    "votedissues": _voted,
    "updatedby": _updated_by,
}


# --- functions of the Approvals field


def _people_of(scope: Scope, function: Function) -> list[str]:
    found: list[str] = []
    for one in function.arguments:
        account = scope.call.people.named(one)
        if account is None:
            raise JqlError(f"The user '{one}' does not exist.")
        found.append(account.id)
    return found


def _mine(scope: Scope) -> list[str]:
    return [scope.call.caller.id] if scope.call.caller else []


def _approval(final: str, people: list[str] | None, decision: str = "") -> Sql:
    text = "EXISTS (SELECT 1 FROM approval a WHERE a.issue=ix.id"
    inner = " AND EXISTS (SELECT 1 FROM approver r WHERE r.approval=a.id AND r.account IN ("
    values: list[Json] = []
    if final:
        text += " AND a.final=?"
        values.append(final)
    if people is not None:
        text += inner + ",".join("?" * len(people)) + ")"
        values += people
        if decision:
            text += " AND r.decision=?"
            values.append(decision)
        text += ")"
    return Sql(text + ")", tuple(values))


FUNCTIONS: Mapping[str, Callable[[Scope, Function], Sql]] = {
    "approved": lambda _scope, _one: _approval("approved", None),
    "declined": lambda _scope, _one: _approval("declined", None),
    "pending": lambda _scope, _one: _approval("pending", None),
    "approver": lambda scope, one: _approval("", _people_of(scope, one)),
    "pendingby": lambda scope, one: _approval("pending", _people_of(scope, one), "pending"),
    "mypending": lambda scope, _one: _approval("pending", _mine(scope), "pending"),
    "mypendingapproval": lambda scope, _one: _approval("pending", _mine(scope), "pending"),
    "myapproval": lambda scope, _one: _approval("", _mine(scope)),
}
