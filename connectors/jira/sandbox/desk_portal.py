"""Service Management: info, service desks, request types with their forms, queues."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, show
from connectors.jira.sandbox.api_search import compiled, keys, loaded, total
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.desk import body_object, bounds, is_agent, named_people, page
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Reply, Row, desk_date, desk_error, desk_page

routes = Routes(prefix="/rest/servicedeskapi")
_BUILD_DATE = 1_758_067_200_000


@routes.on("GET", "/info", anonymous=True)
def info(call: Call) -> Json:
    """Return what the Service Management application is."""
    version = "1001.0.0-SNAPSHOT" if call.cloud else "10.3.24"
    return {
        "version": version,
        "platformVersion": version,
        "buildDate": desk_date(_BUILD_DATE, call.zone),
        "buildChangeSet": "c6c33a4381164a65dc4b8ecd123c6fa071fac773",
        "isLicensedForUse": True,
        "_links": {"self": f"{call.site.url}/rest/servicedeskapi/info"},
    }


def _bean(call: Call, row: Row) -> Row:
    return {
        "id": str(row["id"]),
        "projectId": str(row["project"]),
        "projectName": row["name"],
        "projectKey": row["key"],
        "_links": {"self": f"{call.site.url}/rest/servicedeskapi/servicedesk/{row['id']}"},
    }


def _desks(call: Call) -> list[Row]:
    rows = call.store.rows(
        "SELECT d.id, d.project, p.name, p.key, p.template FROM desk d"
        " JOIN project p ON p.id=d.project ORDER BY d.id"
    )
    return [row for row in rows if call.people.roles_in(call.user, row["project"])]


def _desk(call: Call) -> Row:
    for row in _desks(call):
        if call.path["desk"] in {str(row["id"]), f"projectId:{row['project']}", row["key"]}:
            return row
    raise desk_error(
        HTTPStatus.NOT_FOUND, "The Service Desk could not be found.", "sd.desk.not.found"
    )


@routes.on("GET", "/servicedesk")
def list_desks(call: Call) -> Json:
    """Return the service desks that the caller sees."""
    return page(call, [_bean(call, one) for one in _desks(call)], "/servicedesk")


@routes.on("GET", "/servicedesk/{desk}")
def get_desk(call: Call) -> Json:
    """Return one service desk."""
    return _bean(call, _desk(call))


# --- request types


def _type_bean(call: Call, row: Row, desk: Row) -> Row:
    spec = loads(row["spec"])
    found = call.definition.find(call.definition.types, spec["issue_type"])
    where = f"{call.site.url}/rest/servicedeskapi/servicedesk/{desk['id']}/requesttype/{row['id']}"
    return {
        "_expands": ["field"],
        "id": str(row["id"]),
        "_links": {"self": where},
        "name": row["name"],
        "description": spec["description"],
        "helpText": "",
        "issueTypeId": found["id"] if found else "",
        "serviceDeskId": str(desk["id"]),
        "portalId": str(desk["id"]),
        "groupIds": [str(spec["group"] + 1)],
        "icon": {
            "id": "10500",
            "_links": {"iconUrls": beans.avatars(call, "issuetype", "request")},
        },
    }


def _types(call: Call, desk: Row) -> list[Row]:
    rows = call.store.rows(
        "SELECT * FROM request_type WHERE project=? ORDER BY id", desk["project"]
    )
    text = call.query.get("searchQuery", "").casefold()
    group = call.query.get("groupId")
    return [
        row
        for row in rows
        if text in row["name"].casefold()
        and (not group or str(loads(row["spec"])["group"] + 1) == group)
    ]


@routes.on("GET", "/servicedesk/{desk}/requesttype")
def list_types(call: Call) -> Json:
    """Return the request types of a service desk."""
    desk = _desk(call)
    found = [_type_bean(call, one, desk) for one in _types(call, desk)]
    return page(call, list(found), f"/servicedesk/{desk['id']}/requesttype")


@routes.on("GET", "/requesttype")
def all_types(call: Call) -> Json:
    """Return the request types of every service desk."""
    found = [_type_bean(call, one, desk) for desk in _desks(call) for one in _types(call, desk)]
    return page(call, list(found), "/requesttype")


def _type(call: Call) -> tuple[Row, Row]:
    desk = _desk(call)
    for row in call.store.rows("SELECT * FROM request_type WHERE project=?", desk["project"]):
        if str(row["id"]) == call.path["type"]:
            return row, desk
    raise desk_error(
        HTTPStatus.NOT_FOUND, "The request type could not be found.", "sd.rt.not.found"
    )


@routes.on("GET", "/servicedesk/{desk}/requesttype/{type}")
def get_type(call: Call) -> Json:
    """Return one request type."""
    row, desk = _type(call)
    return _type_bean(call, row, desk)


@routes.on("GET", "/servicedesk/{desk}/requesttype/{type}/field")
def type_fields(call: Call) -> Json:
    """Return the form of a request type."""
    row, desk = _type(call)
    agent = is_agent(call, desk["project"])
    return {
        "requestTypeFields": [
            _field(call, call.definition.fields[one["id"]], one)
            for one in loads(row["spec"])["fields"]
        ],
        "canRaiseOnBehalfOf": agent,
        "canAddRequestParticipants": True,
    }


def _field(call: Call, spec: FieldSpec, form: Row) -> Row:
    valid: list[Row] = [
        {"value": one.id, "label": one.value, "children": []} for one in spec.options
    ]
    if spec.kind == "priority":
        known = call.definition.priorities.values()
        valid = [{"value": one["id"], "label": one["name"], "children": []} for one in known]
    return {
        "fieldId": spec.id,
        "name": form["label"],
        "description": "",
        "required": bool(form.get("required")),
        "defaultValues": [],
        "validValues": valid,
        "jiraSchema": show.schema(spec),
        "visible": True,
        "presetValues": [],
    }


@routes.on("GET", "/servicedesk/{desk}/requesttypegroup")
def type_groups(call: Call) -> Json:
    """Return the groups of request types in the portal."""
    desk = _desk(call)
    names = call.definition.templates[desk["template"]]["groups"]
    found = [{"id": str(number + 1), "name": name} for number, name in enumerate(names)]
    return page(call, list(found), f"/servicedesk/{desk['id']}/requesttypegroup")


# --- queues


def _queues(call: Call) -> tuple[Row, list[Row]]:
    desk = _desk(call)
    if not is_agent(call, desk["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN,
            "You do not have permission to view queues.",
            "sd.queue.permission",
        )
    return desk, list(call.definition.templates[desk["template"]]["queues"])


def _queue_jql(desk: Row, queue: Row) -> str:
    return f'project = "{desk["key"]}" AND {queue["jql"]}'


def _queue(call: Call, desk: Row, number: int, queue: Row) -> Row:
    where = f"{call.site.url}/rest/servicedeskapi/servicedesk/{desk['id']}/queue/{number}"
    bean: Row = {
        "id": str(number),
        "name": queue["name"],
        "jql": _queue_jql(desk, queue),
        "fields": queue["fields"],
        "_links": {"self": where},
    }
    if call.flag("includeCount"):
        bean["issueCount"] = total(call, compiled(call, _queue_jql(desk, queue)))
    return bean


@routes.on("GET", "/servicedesk/{desk}/queue")
def list_queues(call: Call) -> Json:
    """Return the queues of a service desk."""
    desk, queues = _queues(call)
    found = [_queue(call, desk, number, one) for number, one in enumerate(queues, 1)]
    return page(call, list(found), f"/servicedesk/{desk['id']}/queue")


def _one_queue(call: Call) -> tuple[Row, int, Row]:
    desk, queues = _queues(call)
    for number, one in enumerate(queues, 1):
        if str(number) == call.path["queue"]:
            return desk, number, one
    raise desk_error(HTTPStatus.NOT_FOUND, "The queue could not be found.", "sd.queue.not.found")


@routes.on("GET", "/servicedesk/{desk}/queue/{queue}")
def get_queue(call: Call) -> Json:
    """Return one queue."""
    desk, number, one = _one_queue(call)
    return _queue(call, desk, number, one)


@routes.on("GET", "/servicedesk/{desk}/queue/{queue}/issue")
def queue_issues(call: Call) -> Json:
    """Return the issues of a queue."""
    desk, number, queue = _one_queue(call)
    start, limit = bounds(call)
    query = compiled(call, _queue_jql(desk, queue))
    numbers = keys(call, query, start, limit + 1)
    specs = show.chosen(call, queue["fields"], "*navigable")
    shown = [show.issue(call, one, specs) for one in loaded(call, numbers[:limit])]
    path = f"/servicedesk/{desk['id']}/queue/{number}/issue"
    answer = desk_page([None] * (start + len(numbers)), start, limit, call.site.url, path)
    answer["values"] = shown
    answer["size"] = len(shown)
    return answer


@routes.on("GET", "/servicedesk/{desk}/customer")
def customers(call: Call) -> Json:
    """Return the customers of a service desk (agents only)."""
    desk = _desk(call)
    if not is_agent(call, desk["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You do not have permission to view customers.", "sd.customer"
        )
    text = call.query.get("query", "")
    found = call.people.search(text) if text else call.people.all()
    return page(
        call, [beans.desk_user(call, one) for one in found], f"/servicedesk/{desk['id']}/customer"
    )


def _join(call: Call, *, add: bool) -> Json:
    desk = _desk(call)
    if not is_agent(call, desk["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You do not have permission to manage customers.", "sd.customer"
        )
    body = body_object(call)
    people = named_people(call, body.get("accountIds") if call.cloud else body.get("usernames"))
    word = "INSERT OR IGNORE INTO project_role VALUES (?, ?, 'user', ?)" if add else (
        "DELETE FROM project_role WHERE project=? AND role=? AND kind='user' AND holder=?"
    )  # fmt: skip
    for one in people:
        call.store.run(word, desk["project"], "Service Desk Customers", one.id)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/servicedesk/{desk}/customer")
def add_customers(call: Call) -> Json:
    """Let accounts raise requests at a service desk."""
    return _join(call, add=True)


@routes.on("DELETE", "/servicedesk/{desk}/customer")
def remove_customers(call: Call) -> Json:
    """Let accounts raise requests at a service desk no more, unless another role lets them."""
    return _join(call, add=False)
