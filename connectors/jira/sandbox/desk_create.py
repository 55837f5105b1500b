"""Service Management: raising a request."""

from http import HTTPStatus

from connectors.jira.sandbox import issues, text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.desk import bean, body_object, is_agent, named_people, number_of
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.reading import ValueRefusedError, read
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, desk_error

routes = Routes(prefix="/rest/servicedeskapi")


@routes.on("POST", "/request")
def create(call: Call) -> Json:
    """Create a request through the portal, for oneself or on behalf of a customer."""
    issue = raise_request(call, body_object(call))
    return Reply(status=HTTPStatus.CREATED, body=bean(call, issue))


def raise_request(call: Call, body: Row) -> Row:
    """Make a request from a body and return its issue.

    Raises:
        ApiError: the desk, the type, a field or a person is not valid, or not for the caller.
    """
    kind, project = _kind(call, body)
    values = _form_values(call, body, kind, project)
    values["reporter"] = _on_behalf(call, body, project).id
    people = body.get("requestParticipants") or []
    if people:
        values["customfield_10026"] = [one.id for one in named_people(call, people)]
    found = call.definition.find(call.definition.types, kind["issue_type"])
    values["issuetype"] = found["id"] if found else ""
    channel = str(body.get("channel") or "portal")
    issue = issues.create(call, project, values, request_type=kind["id"], channel=channel)
    origin = dumps({"value": channel})
    call.store.run(
        "INSERT INTO property VALUES (?, ?, ?)", issue["id"], "request.channel.type", origin
    )
    return issues.reload(call, issue)


def _kind(call: Call, body: Row) -> tuple[Row, Row]:
    desk = call.store.row("SELECT * FROM desk WHERE id=?", number_of(body.get("serviceDeskId")))
    if desk is None or not call.people.roles_in(call.user, desk["project"]):
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The Service Desk could not be found.", "sd.desk.not.found"
        )
    row = call.store.row(
        "SELECT * FROM request_type WHERE id=? AND project=?",
        number_of(body.get("requestTypeId")),
        desk["project"],
    )
    if row is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "The request type you are trying to access does not exist.",
            "sd.validation.requesttype.not.found",
        )
    return {**row, **loads(row["spec"])}, issues.project_row(call, desk["project"])


def _form_values(call: Call, body: Row, kind: Row, project: Row) -> dict[str, Json]:
    given = body.get("requestFieldValues")
    if not isinstance(given, dict):
        given = {}
    form = {one["id"]: one for one in kind["fields"]}
    for name in given:
        if name not in form:
            raise desk_error(
                HTTPStatus.BAD_REQUEST,
                f"The fields, {name}, are not valid for this request type.",
                "sd.validation.field.invalid",
            )
    values: dict[str, Json] = {}
    for name, one in form.items():
        if one.get("required") and given.get(name) in (None, "", []):
            raise desk_error(
                HTTPStatus.BAD_REQUEST,
                f"Your request could not be created. Please check the fields have been correctly"
                f" filled in. {one['label']}: This field is required.",
                "sd.validation.field.required",
            )
    for name, value in given.items():
        values[name] = _form_value(call, call.definition.fields[name], value, project, body)
    return values


def _form_value(call: Call, spec: FieldSpec, value: Json, project: Row, body: Row) -> Json:
    try:
        if spec.kind == "text":
            return text.read(value, document=call.cloud and body.get("isAdfRequest") is True)
        if spec.kind == "option" and isinstance(value, str):
            value = {"value": value}
        return read(call, spec, value, project)
    except (ValueRefusedError, text.TextRefusedError) as error:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "Your request could not be created. Please check the fields have been correctly filled"
            f" in. {spec.name}: {error.reason}",
            "sd.validation.field.invalid",
        ) from error


def _on_behalf(call: Call, body: Row, project: Row) -> Account:
    name = body.get("raiseOnBehalfOf")
    if name is None:
        return call.user
    if not is_agent(call, project["id"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN,
            "You do not have permission to raise a request on behalf of other users.",
            "sd.request.onbehalf.permission",
        )
    found = call.people.named(str(name))
    if found is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            f"The user {name} does not exist.",
            "sd.request.onbehalf.unknown",
        )
    return found
