"""What a request may set on an issue: screens, `fields` and `update`, required fields."""

from collections.abc import Callable, Mapping

from connectors.jira.sandbox import index, issues, text
from connectors.jira.sandbox.caps import leave_room
from connectors.jira.sandbox.comment_forms import comment_body, comment_properties, visibility
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.durations import seconds_of
from connectors.jira.sandbox.fields import LISTS, kept
from connectors.jira.sandbox.links import connect
from connectors.jira.sandbox.reading import ValueRefusedError, read
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import Json, Row, bad_request, field_errors, parse_stamp

NOT_ON_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
_ALWAYS = frozenset({"comment", "worklog", "issuelinks", "attachment"})


class Edit:
    """Collects the values and errors of one request."""

    def __init__(
        self, call: Call, project: Row, screen: tuple[str, ...], issue: Row | None
    ) -> None:
        self.call = call
        self.project = project
        self.screen = frozenset(screen)
        self.issue = issue
        self.values: dict[str, Json] = {}
        self.comments: list[Row] = []
        self.worklogs: list[Row] = []
        self.links: list[Row] = []
        self.errors: dict[str, str] = {}

    def take(self, body: Row) -> None:
        """Read `fields` and `update` of a body.

        Raises:
            ApiError: 400 naming every field that is refused.
        """
        fields = _object(body, "fields")
        update = _object(body, "update")
        for name in fields:
            if name in update:
                self.errors[name] = f"Field '{name}' cannot appear in both 'fields' and 'update'."
        for name, value in fields.items():
            self._set(name, value)
        for name, operations in update.items():
            self._operate(name, operations)
        self.refuse()

    def refuse(self) -> None:
        """Raise the errors collected so far, if any."""
        if self.errors:
            raise field_errors(self.errors)

    def _spec(self, name: str) -> FieldSpec | None:
        spec = self.call.definition.fields.get(name)
        if spec is None or name not in self.screen:
            self.errors.setdefault(name, NOT_ON_SCREEN.format(name))
            return None
        return spec

    def _set(self, name: str, value: Json) -> None:
        if name == "comment" and isinstance(value, dict):
            self._operate(name, [{"add": value}])
            return
        if name == "project" and self.issue is not None and self._same_project(value):
            return  # clients send the project along; only another one is refused
        spec = self._spec(name)
        if spec is None:
            return
        try:
            self.values[name] = read(self.call, spec, value, self.project)
        except ValueRefusedError as error:
            self.errors[name] = error.reason
            return
        if spec.required and self.values[name] in (None, ""):
            self.errors[name] = (
                "You must specify a summary of the issue."
                if name == "summary"
                else f"{spec.name} is required."
            )

    def _same_project(self, value: Json) -> bool:
        named = {str(value.get(one)) for one in ("id", "key")} if isinstance(value, dict) else set()
        return bool(named & {str(self.project["id"]), self.project["key"]})

    def _operate(self, name: str, operations: Json) -> None:
        if not isinstance(operations, list):
            self.errors[name] = "data was not an array"
            return
        for operation in operations:
            if not isinstance(operation, dict) or len(operation) != 1:
                self.errors[name] = "operation must be an object with one verb"
                return
            verb, value = next(iter(operation.items()))
            special = _SPECIAL.get(name)
            if special is not None:
                special(self, verb, value)
            else:
                self._apply(name, verb, value)

    def _apply(self, name: str, verb: str, value: Json) -> None:
        if verb == "set" or (verb == "edit" and name == "timetracking"):
            self._set(name, value)
            return
        spec = self._spec(name)
        if spec is None:
            return
        if spec.kind not in LISTS or verb not in {"add", "remove"}:
            self.errors[name] = f"Field '{name}' does not support operation '{verb}'."
            return
        try:
            items = read(self.call, spec, [value], self.project)
        except ValueRefusedError as error:
            self.errors[name] = error.reason
            return
        before = self.values.get(name)
        if before is None:
            before = kept(self.issue, name) if self.issue is not None else []
        held = [one for one in before or [] if one not in items]
        if verb == "add":
            held = [*(before or []), *(one for one in items if one not in (before or []))]
        self.values[name] = held

    def add_comment(self, verb: str, value: Json) -> None:
        """Take a comment of an `update`."""
        if verb != "add" or not isinstance(value, dict):
            self.errors["comment"] = "Field 'comment' supports the operation 'add' here."
            return
        try:
            body = comment_body(self.call, value)
        except ValueRefusedError as error:
            self.errors["comment"] = error.reason
            return
        try:
            limit = visibility(self.call, self.project["id"], value.get("visibility"))
        except ValueRefusedError as error:
            self.errors["commentLevel"] = error.reason
            return
        self.comments.append({"body": body, "raw": value, "visibility": limit})

    def add_worklog(self, verb: str, value: Json) -> None:
        """Take a worklog of an `update`."""
        spent = value.get("timeSpent") if isinstance(value, dict) else None
        seconds = seconds_of(spent) if isinstance(spent, str) else None
        if verb != "add" or seconds is None:
            self.errors["worklog"] = "Invalid time duration entered."
            return
        started = parse_stamp(str(value.get("started", "")))
        self.worklogs.append(
            {"seconds": seconds, "started": started, "comment": value.get("comment")}
        )

    def add_link(self, verb: str, value: Json) -> None:
        """Take a link of an `update`."""
        if verb != "add" or not isinstance(value, dict):
            self.errors["issuelinks"] = "Field 'issuelinks' supports the operation 'add' here."
            return
        self.links.append(value)

    def extras(self, issue: Row) -> None:
        """Write the comments, worklogs and links that came with the request."""
        for one in self.comments:
            internal, properties = comment_properties(one["raw"])
            issues.add_comment(
                self.call, issue, one["body"], internal=internal, properties=properties,
                visibility=one["visibility"],
            )  # fmt: skip
        for one in self.worklogs:
            write_worklog(self.call, issue, one)
        for one in self.links:
            _write_link(self.call, issue, one)


_SPECIAL: Mapping[str, Callable[[Edit, str, Json], None]] = {
    "comment": Edit.add_comment,
    "worklog": Edit.add_worklog,
    "issuelinks": Edit.add_link,
}


def _object(body: Row, name: str) -> Row:
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(f"'{name}' must be an object")
    return found


def write_worklog(call: Call, issue: Row, value: Row) -> Row:
    """Add a worklog and return its row."""
    leave_room(call, "worklog", issue)
    index.hold(call, issue)
    now = call.stamp()
    number = call.store.insert(
        "worklog",
        {
            "id": call.store.counter("worklog", 10000),
            "issue": issue["id"],
            "author": call.user.id,
            "editor": call.user.id,
            "body": dumps(text.read(value.get("comment"), document=call.document)),
            "created": now,
            "updated": now,
            "started": value["started"] if value["started"] is not None else now,
            "seconds": value["seconds"],
        },
    )
    if value.get("visibility") is not None:
        call.store.run(
            "INSERT INTO worklog_limit VALUES (?, ?)", number, dumps(value["visibility"])
        )
    total = call.store.value("SELECT sum(seconds) FROM worklog WHERE issue=?", issue["id"])
    item = {
        "field": "timespent",
        "field_id": "timespent",
        "new": str(total),
        "new_text": str(total),
    }
    issues.note(call, issue, item)
    return call.store.row("SELECT * FROM worklog WHERE id=?", number) or {}


def _write_link(call: Call, issue: Row, value: Row) -> None:
    connect(
        call,
        value.get("type"),
        value.get("inwardIssue", {"id": str(issue["id"])}),
        value.get("outwardIssue", {"id": str(issue["id"])}),
    )
