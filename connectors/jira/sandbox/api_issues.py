"""Issues: create, read, edit, delete, assign, transitions, changelog, meta."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, issues, show, text
from connectors.jira.sandbox.api_changelog import changelog_of
from connectors.jira.sandbox.definition import Transition
from connectors.jira.sandbox.editing import NOT_ON_SCREEN, Edit
from connectors.jira.sandbox.meta import edit_meta, screen_meta
from connectors.jira.sandbox.properties import write_property
from connectors.jira.sandbox.reading import ValueRefusedError, read
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    bad_request,
    field_errors,
    forbidden,
)

routes = Routes()
_MOST_AT_ONCE = 50


def project_named(call: Call, value: Json) -> Row | None:
    """Return the project that a value with `key` or `id` names, if the caller sees it."""
    if not isinstance(value, dict):
        return None
    key, number = value.get("key"), value.get("id")
    row = call.store.row(
        "SELECT * FROM project WHERE key=? OR id=?",
        str(key).upper() if key is not None else "",
        str(number) if number is not None else "",
    )
    seen = row is not None and (
        call.may("BROWSE_PROJECTS", row["id"]) or call.may("CREATE_ISSUES", row["id"])
    )
    return row if seen else None


def create_from(call: Call, body: Row) -> Row:
    """Create an issue from the body of a request and return it.

    Raises:
        ApiError: 400 naming fields, 403 without the permission to create.
    """
    fields = body.get("fields")
    if not isinstance(fields, dict):
        raise field_errors({"project": "Specify a valid project ID or key"})
    project = project_named(call, fields.get("project"))
    if project is None:
        text_ = (
            "Specify a valid project ID or key" if fields.get("project") else "project is required"
        )
        raise field_errors({"project": text_ if call.cloud else "project is required"})
    if not call.may("CREATE_ISSUES", project["id"]):
        raise field_errors(
            {"project": "You do not have permission to create issues in this project."}
        )
    issue_type = _issue_type(call, fields.get("issuetype"), project)
    flow = call.definition.workflow(project["template"], issue_type)
    edit = Edit(call, project, (*flow.screen, "reporter"), None)
    rest = {one: held for one, held in fields.items() if one not in {"project", "issuetype"}}
    if "reporter" in rest and not call.may("MODIFY_REPORTER", project["id"]):
        edit.errors["reporter"] = NOT_ON_SCREEN.format("reporter")
        del rest["reporter"]
    if not rest.get("summary"):
        edit.errors["summary"] = "You must specify a summary of the issue."
        rest.pop("summary", None)
    edit.take({"fields": rest, "update": body.get("update")})
    subtask = bool(call.definition.types[issue_type].get("subtask"))
    if subtask and edit.values.get("parent") is None:
        raise field_errors(
            {"parent": "Issue type is a sub-task but parent issue key or id not specified."}
        )
    values = {**edit.values, "issuetype": issue_type}
    issue = issues.create(call, project, values)
    edit.extras(issue)
    for one in body.get("properties") or ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            write_property(call, issue, one["key"], one.get("value"))
    return issues.reload(call, issue)


def _issue_type(call: Call, value: Json, project: Row) -> str:
    spec = call.definition.fields["issuetype"]
    if value is None:
        raise field_errors(
            {"issuetype": "Specify an issue type" if call.cloud else "issue type is required"}
        )
    try:
        found: str = read(call, spec, value, project)
    except ValueRefusedError as error:
        reason = error.reason if call.cloud else "issue type is required"
        raise field_errors({"issuetype": reason}) from error
    if not any(one["id"] == found for one in call.definition.types_of(project["template"])):
        raise field_errors(
            {
                "issuetype": "Specify a valid issue type"
                if call.cloud
                else "The issue type selected is invalid."
            }
        )
    return found


def created_bean(call: Call, issue: Row) -> Row:
    """Return what a creation answers with."""
    return {"id": str(issue["id"]), "key": issue["key"], "self": f"{call.api}/issue/{issue['id']}"}


@routes.on("POST", "/issue")
def create_issue(call: Call) -> Json:
    """Create an issue; optionally run a first transition."""
    body = call.json()
    issue = create_from(call, body)
    if isinstance(body.get("transition"), dict):
        run_transition(call, issue, {"transition": body["transition"]})
    return Reply(status=HTTPStatus.CREATED, body=created_bean(call, issue))


def _bulk_refused(text_: str) -> ApiError:
    error = {
        "status": HTTPStatus.BAD_REQUEST,
        "elementErrors": {"errorMessages": [text_], "errors": {}},
        "failedElementNumber": 0,
    }
    return ApiError(HTTPStatus.BAD_REQUEST, {"issues": [], "errors": [error]})


@routes.on("POST", "/issue/bulk")
def create_many(call: Call) -> Json:
    """Create up to 50 issues; each stands alone."""
    updates = call.json().get("issueUpdates") if isinstance(call.body, dict) else None
    if not isinstance(updates, list) or not updates:
        raise _bulk_refused("Must provide at least one issue in the request body")
    if len(updates) > _MOST_AT_ONCE:
        raise _bulk_refused(f"Cannot create more than {_MOST_AT_ONCE} issues in one request")
    made: list[Row] = []
    failed: list[Row] = []
    for number, one in enumerate(updates):
        try:
            made.append(created_bean(call, create_from(call, one if isinstance(one, dict) else {})))
        except ApiError as error:
            failed.append(
                {
                    "status": error.reply.status,
                    "elementErrors": {"errorMessages": [], "errors": {}, **error.reply.body},
                    "failedElementNumber": number,
                }
            )
    status = HTTPStatus.CREATED if made else HTTPStatus.BAD_REQUEST
    return Reply(status=status, body={"issues": made, "errors": failed})


@routes.on("GET", "/issue/{key}", anonymous=True)
def get_issue(call: Call) -> Json:
    """Return an issue; an old key of a moved issue answers with the new one."""
    issue = issues.visible(call, call.path["key"])
    return full_bean(call, issue, call.words("fields"), "*all", call.words("expand"))


def full_bean(call: Call, issue: Row, fields: list[str], default: str, expand: list[str]) -> Row:
    """Return an issue with what `fields`, `expand` and `properties` ask for."""
    specs = show.chosen(call, fields, default)
    bean = show.issue(call, issue, specs)
    if "renderedFields" in expand:
        bean["renderedFields"] = {
            spec.id: text.html_of(issue["fields"].get(spec.id)) if spec.kind == "text" else None
            for spec in specs
        }
    if "names" in expand:
        bean["names"] = {spec.id: spec.name for spec in specs}
    if "schema" in expand:
        bean["schema"] = {spec.id: show.schema(spec) for spec in specs}
    if "changelog" in expand:
        bean["changelog"] = changelog_of(call, issue)
    if "transitions" in expand:
        bean["transitions"] = [
            transition_bean(call, issue, one) for one in issues.available(call, issue)
        ]
    if "editmeta" in expand:
        bean["editmeta"] = {"fields": edit_meta(call, issue)}
    if "operations" in expand:
        bean["operations"] = {"linkGroups": []}
    wanted = call.words("properties") or _asked_properties(call)
    if wanted:
        bean["properties"] = _properties(call, issue, wanted)
    return bean


def _asked_properties(call: Call) -> list[str]:
    """Return the properties that the body of a search asks for."""
    asked = call.body.get("properties") if isinstance(call.body, dict) else None
    searched = call.method == "POST" and "/search" in call.target
    return [str(one) for one in asked] if searched and isinstance(asked, list) else []


def _properties(call: Call, issue: Row, wanted: list[str]) -> Row:
    from connectors.jira.sandbox.storage import loads  # noqa: PLC0415 - used here alone

    rows = call.store.rows("SELECT key, value FROM property WHERE issue=?", issue["id"])
    return {
        row["key"]: loads(row["value"]) for row in rows if row["key"] in wanted or "*all" in wanted
    }


@routes.on("PUT", "/issue/{key}")
def edit_issue(call: Call) -> Json:
    """Edit an issue; a transition in the body is ignored, as the vendor does."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("EDIT_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to edit issues in this project.")
    if call.query.get("notifyUsers") == "false" and not _administers(call, issue):
        raise forbidden(
            "To discard the user notification either admin or project admin permissions are"
            " required."
        )
    body = call.json()
    project = issues.project_row(call, issue["project"])
    edit = Edit(call, project, issues.workflow(call, issue).screen, issue)
    edit.take(body)
    if "reporter" in edit.values and not call.may("MODIFY_REPORTER", issue["project"]):
        raise field_errors({"reporter": NOT_ON_SCREEN.format("reporter")})
    _check_type(call, edit, project)
    issues.change(call, issue, edit.values)
    edit.extras(issue)
    for one in body.get("properties") or ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            write_property(call, issue, one["key"], one.get("value"))
    if call.cloud and call.flag("returnIssue"):
        return full_bean(call, issues.reload(call, issue), [], "*all", call.words("expand"))
    return Reply(status=HTTPStatus.NO_CONTENT)


def _check_type(call: Call, edit: Edit, project: Row) -> None:
    wanted = edit.values.get("issuetype")
    if wanted is None or edit.issue is None:
        return
    if not any(one["id"] == wanted for one in call.definition.types_of(project["template"])):
        raise field_errors({"issuetype": "The issue type selected is invalid."})
    flow = call.definition.workflow(project["template"], wanted)
    if flow.name != issues.workflow(call, edit.issue).name:
        raise field_errors({"issuetype": "The issue type selected is invalid."})


def _administers(call: Call, issue: Row) -> bool:
    return call.may("ADMINISTER_PROJECTS", issue["project"]) or call.people.is_admin(call.caller)


@routes.on("DELETE", "/issue/{key}")
def delete_issue(call: Call) -> Json:
    """Delete an issue, with its subtasks where that is asked for."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("DELETE_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to delete issues in this project.")
    children = call.store.rows("SELECT * FROM issue WHERE parent=?", issue["id"])
    if children and not call.flag("deleteSubtasks"):
        raise bad_request(
            f"The issue '{issue['key']}' has subtasks.  You must specify the 'deleteSubtasks'"
            " parameter to delete this issue and all its subtasks."
        )
    for one in children:
        issues.delete(call, issues.reload(call, one))
    issues.delete(call, issue)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("PUT", "/issue/{key}/assignee")
def assign(call: Call) -> Json:
    """Assign an issue; a null user takes the assignee away."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("ASSIGN_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to assign issues.")
    project = issues.project_row(call, issue["project"])
    spec = call.definition.fields["assignee"]
    try:
        held = read(call, spec, call.json(), project)
    except ValueRefusedError as error:
        raise field_errors({"assignee": error.reason}) from error
    issues.change(call, issue, {"assignee": held})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/issue/{key}/editmeta", anonymous=True)
def get_edit_meta(call: Call) -> Json:
    """Return the fields that the caller may edit."""
    return {"fields": edit_meta(call, issues.visible(call, call.path["key"]))}


# --- transitions


def transition_bean(call: Call, issue: Row, one: Transition, *, open_to: bool = True) -> Row:
    """Return a transition as the caller sees it."""
    bean: Row = {"id": one.id, "name": one.name}
    bean["to"] = beans.status(call, one.target)
    if call.cloud:
        bean |= {
            "hasScreen": bool(one.screen),
            "isGlobal": one.sources is None,
            "isInitial": False,
            "isAvailable": open_to,
            "isConditional": bool(one.needs),
            "isLooped": one.sources is not None and one.target in one.sources,
        }
    if "transitions.fields" in call.words("expand"):
        bean["fields"] = screen_meta(call, issue, one.screen)
    return bean


@routes.on("GET", "/issue/{key}/transitions", anonymous=True)
def get_transitions(call: Call) -> Json:
    """Return the transitions that the caller may run now."""
    issue = issues.visible(call, call.path["key"])
    beans_ = [transition_bean(call, issue, one) for one in issues.available(call, issue)]
    if call.cloud and call.flag("includeUnavailableTransitions"):
        shut = issues.unavailable(call, issue)
        beans_ += [transition_bean(call, issue, one, open_to=False) for one in shut]
    wanted = call.query.get("transitionId")
    if wanted:
        beans_ = [one for one in beans_ if one["id"] == wanted]
    return {"expand": "transitions", "transitions": beans_}


@routes.on("POST", "/issue/{key}/transitions")
def do_transition(call: Call) -> Json:
    """Run a transition with its fields and a comment."""
    issue = issues.visible(call, call.path["key"])
    run_transition(call, issue, call.json())
    return Reply(status=HTTPStatus.NO_CONTENT)


def run_transition(call: Call, issue: Row, body: Row) -> None:
    """Run the transition that a body names.

    Raises:
        ApiError: 400 for one that is not available to the caller, or a field not on its screen.
    """
    wanted = body.get("transition")
    number = wanted.get("id") if isinstance(wanted, dict) else None
    if number is None or isinstance(number, bool):
        raise bad_request("Missing 'transition' identifier")
    chosen = next((one for one in issues.available(call, issue) if one.id == str(number)), None)
    if chosen is None:
        if not str(number).isdigit():
            raise bad_request(f"Transition id '{number}' is not valid for this issue.")
        raise bad_request(
            f"It seems that you have tried to perform an illegal workflow operation ({number})."
            if not call.cloud
            else f"Transition id '{number}' is not valid for this issue."
        )
    edit = Edit(call, issues.project_row(call, issue["project"]), chosen.screen, issue)
    edit.take(body)
    issues.move(call, issue, chosen, edit.values)
    edit.extras(issue)
