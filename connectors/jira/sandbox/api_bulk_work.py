"""Cloud's bulk operations: each answers with a task, which tells what became of the issues."""

from collections.abc import Callable
from http import HTTPStatus

from connectors.jira.sandbox import beans, index, issues
from connectors.jira.sandbox.moving import move_issue
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import ApiError, Json, Reply, Row, stamp

routes = Routes()
_MOST = 1000


def _refused(text: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, {"errors": [{"message": text}]})


def _body(call: Call) -> Row:
    """Return the body; these operations refuse one that is none in words of their own."""
    try:
        return call.json()
    except ApiError as error:
        raise _refused("The request body is not valid.") from error


def _selected(value: Json) -> list[str]:
    found = [str(one) for one in value] if isinstance(value, list) else []
    if not 0 < len(found) <= _MOST:
        raise _refused("selectedIssueIdsOrKeys must hold 1 to 1000 issues.")
    return found


class _Task:
    """What a bulk operation has done so far."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._done: list[int] = []
        self._failed: dict[str, list[str]] = {}
        self._lost = 0

    def run(self, chosen: list[str], work: Callable[[Row], None]) -> None:
        """Do the work on each of the issues; one that fails does not stop the others."""
        for one in chosen:
            try:
                issue = issues.visible(self._call, one)
            except ApiError:
                self._lost += 1
                continue
            try:
                work(issue)
            except ApiError as error:
                body = error.reply.body
                told = body.get("errorMessages") if isinstance(body, dict) else None
                self._failed[str(issue["id"])] = [str(line) for line in told or ["It was refused."]]
            else:
                self._done.append(issue["id"])

    def reply(self) -> Reply:
        """Keep the task, which is done already, and answer with its id."""
        call = self._call
        number = str(call.store.counter("bulk", 10000))
        now = stamp(call.site.now(), call.zone)
        held: Row = {
            "taskId": number,
            "status": "COMPLETE",
            "progressPercent": 100,
            "submittedBy": {"accountId": call.user.id},
            "created": now,
            "started": now,
            "updated": now,
            "totalIssueCount": len(self._done) + len(self._failed) + self._lost,
            "invalidOrInaccessibleIssueCount": self._lost,
            "processedAccessibleIssues": self._done,
            "failedAccessibleIssues": self._failed,
        }
        call.store.run("INSERT INTO site VALUES (?, ?)", f"bulk.{number}", dumps(held))
        return Reply(status=HTTPStatus.CREATED, body={"taskId": number})


@routes.on("GET", "/bulk/queue/{task}", flavours=CLOUD_ONLY)
def progress(call: Call) -> Json:
    """Return what became of a bulk operation of the caller."""
    name = f"bulk.{call.path['task']}"
    held = loads(call.store.value("SELECT value FROM site WHERE name=?", name))
    if held is None or held["submittedBy"]["accountId"] != call.user.id:
        raise _refused(f"The task {call.path['task']} does not exist.")
    held["submittedBy"] = beans.user_of(call, call.user.id)
    found: Json = held
    return found


def _watching(call: Call, sql: str) -> Json:
    def work(issue: Row) -> None:
        call.store.run(sql, issue["id"], call.user.id)
        index.mark(call, issue["id"])

    task = _Task(call)
    task.run(_selected(_body(call).get("selectedIssueIdsOrKeys")), work)
    return task.reply()


@routes.on("POST", "/bulk/issues/watch", flavours=CLOUD_ONLY)
def watch(call: Call) -> Json:
    """Watch issues."""
    return _watching(call, "INSERT OR IGNORE INTO watcher VALUES (?, ?)")


@routes.on("POST", "/bulk/issues/unwatch", flavours=CLOUD_ONLY)
def unwatch(call: Call) -> Json:
    """Watch issues no more."""
    return _watching(call, "DELETE FROM watcher WHERE issue=? AND account=?")


@routes.on("POST", "/bulk/issues/delete", flavours=CLOUD_ONLY)
def delete(call: Call) -> Json:
    """Delete issues."""

    def work(issue: Row) -> None:
        if not call.may("DELETE_ISSUES", issue["project"]):
            raise _refusal("You do not have permission to delete issues in this project.")
        issues.delete(call, issue)

    task = _Task(call)
    task.run(_selected(_body(call).get("selectedIssueIdsOrKeys")), work)
    return task.reply()


def _refusal(text: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, {"errorMessages": [text], "errors": {}})


@routes.on("POST", "/bulk/issues/transition", flavours=CLOUD_ONLY)
def transition(call: Call) -> Json:
    """Run transitions that have no screen on issues."""
    inputs = _body(call).get("bulkTransitionInputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise _refused("bulkTransitionInputs is required.")
    task = _Task(call)
    for one in inputs:
        chosen, wanted = _selected(one.get("selectedIssueIdsOrKeys")), str(one.get("transitionId"))

        def work(issue: Row, wanted: str = wanted) -> None:
            for step in issues.available(call, issue):
                if step.id == wanted and not step.screen:
                    issues.move(call, issue, step, {})
                    return
            raise _refusal("The transition is not available for this issue.")

        task.run(chosen, work)
    return task.reply()


@routes.on("POST", "/bulk/issues/move", flavours=CLOUD_ONLY)
def move(call: Call) -> Json:
    """Move issues to a project and a type: `PROJECT,TYPE` names both."""
    mapping = _body(call).get("targetToSourcesMapping")
    if not isinstance(mapping, dict) or not mapping:
        raise _refused("targetToSourcesMapping is required.")
    task = _Task(call)
    for target, source in mapping.items():
        named, kind, *_ = [*str(target).split(","), ""]
        project = call.store.row("SELECT * FROM project WHERE key=? OR id=?", named, named)
        types = call.definition.types_of(project["template"]) if project is not None else []
        if project is None or all(one["id"] != kind for one in types):
            raise _refused(f"The target {target} is not a project and a type of its issues.")
        _move(call, task, project, kind, source)
    return task.reply()


def _move(call: Call, task: _Task, project: Row, kind: str, source: Json) -> None:
    def work(issue: Row) -> None:
        if not call.may("MOVE_ISSUES", issue["project"]):
            raise _refusal("You do not have permission to move issues of this project.")
        if not call.may("CREATE_ISSUES", project["id"]):
            raise _refusal("You do not have permission to create issues in the target project.")
        if issue["project"] != project["id"] or issue["type"] != kind:
            held = call.store.row("SELECT * FROM project WHERE id=?", project["id"])
            move_issue(call.site, issue, held or project, kind)

    task.run(_selected(source.get("issueIdsOrKeys") if isinstance(source, dict) else None), work)
