"""The site itself: server info, fields, stock lists, permissions, the session resource."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, issues, show
from connectors.jira.sandbox.auth import session_key
from connectors.jira.sandbox.people import GLOBAL_PERMISSIONS
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, not_found, stamp

routes = Routes()
auth_routes = Routes(prefix="/rest")
DC_VERSION = (10, 3, 24)
_BUILD_DATE = 1_758_067_200_000


@routes.on("GET", "/serverInfo", anonymous=True)
def server_info(call: Call) -> Json:
    """Return what the site is; `serverTime` is the sandbox clock's."""
    numbers = (1001, 0, 0) if call.cloud else DC_VERSION
    info: Row = {
        "baseUrl": call.site.url,
        "version": "1001.0.0-SNAPSHOT" if call.cloud else ".".join(map(str, numbers)),
        "versionNumbers": list(numbers),
        "deploymentType": "Cloud" if call.cloud else "Server",
        "buildNumber": 100287 if call.cloud else 10030024,
        "buildDate": stamp(_BUILD_DATE, call.zone),
        "serverTime": stamp(call.site.now(), call.zone),
        "scmInfo": "350e7d5a" if call.cloud else "c6c33a4381164a65dc4b8ecd123c6fa071fac773",
        "serverTitle": "Jira",
    }
    if call.cloud:
        info["defaultLocale"] = {"locale": "en_US"}
        info["serverTimeZone"] = "Etc/UTC"
        info["displayUrl"] = call.site.url
    elif call.flag("doHealthCheck"):
        told = "The search index is consistent with the database."
        info["healthChecks"] = [{"name": "Index", "description": told, "passed": True}]
    return info


@routes.on("GET", "/field", anonymous=True)
def list_fields(call: Call) -> Json:
    """Return the fields of the site."""
    found: list[Row] = []
    for spec in show.known(call):
        bean: Row = {"id": spec.id, "key": spec.id, "name": spec.name}
        if not call.cloud:
            del bean["key"]
        elif spec.custom:
            bean["untranslatedName"] = spec.name
        bean |= {
            "custom": bool(spec.custom),
            "orderable": spec.orderable,
            "navigable": spec.navigable,
            "searchable": spec.searchable,
            "clauseNames": list(spec.clauses),
            "schema": show.schema(spec),
        }
        found.append(bean)
    found.append(
        {
            "id": "issuekey",
            **({"key": "issuekey"} if call.cloud else {}),
            "name": "Key",
            "custom": False,
            "orderable": False,
            "navigable": True,
            "searchable": False,
            "clauseNames": ["id", "issue", "issuekey", "key"],
        }
    )
    return found


def priority_bean(call: Call, number: str) -> Row:
    """Return a priority with its colour and description."""
    row = call.definition.priorities[number]
    bean = beans.priority(call, number) or {}
    more = {"description": row["description"], "statusColor": row["color"]}
    if call.cloud:
        more["isDefault"] = row["name"] == "Medium"
    return {**bean, **more}


@routes.on("GET", "/priority", anonymous=True)
def list_priorities(call: Call) -> Json:
    """Return the priorities, highest first."""
    return [priority_bean(call, one) for one in call.definition.priorities]


@routes.on("GET", "/priority/{id}", anonymous=True)
def getpriority_bean(call: Call) -> Json:
    """Return one priority."""
    if call.path["id"] not in call.definition.priorities:
        raise not_found(f"The priority with id '{call.path['id']}' does not exist")
    return priority_bean(call, call.path["id"])


@routes.on("GET", "/resolution", anonymous=True)
def list_resolutions(call: Call) -> Json:
    """Return the resolutions."""
    return [beans.resolution(call, one) for one in call.definition.resolutions]


@routes.on("GET", "/resolution/{id}", anonymous=True)
def get_resolution(call: Call) -> Json:
    """Return one resolution."""
    if call.path["id"] not in call.definition.resolutions:
        raise not_found(f"The resolution with id '{call.path['id']}' does not exist")
    return beans.resolution(call, call.path["id"])


@routes.on("GET", "/issuetype", anonymous=True)
def list_issue_types(call: Call) -> Json:
    """Return the issue types."""
    return [beans.issue_type(call, one) for one in call.definition.types]


@routes.on("GET", "/issuetype/{id}", anonymous=True)
def get_issue_type(call: Call) -> Json:
    """Return one issue type."""
    if call.path["id"] not in call.definition.types:
        raise not_found(f"The issue type with id '{call.path['id']}' does not exist")
    return beans.issue_type(call, call.path["id"])


@routes.on("GET", "/status", anonymous=True)
def list_statuses(call: Call) -> Json:
    """Return the statuses."""
    return [beans.status(call, one) for one in call.definition.statuses]


@routes.on("GET", "/status/{id}", anonymous=True)
def get_status(call: Call) -> Json:
    """Return one status by id or name."""
    found = call.definition.find(call.definition.statuses, call.path["id"])
    if found is None:
        raise not_found(f"The status with id '{call.path['id']}' does not exist")
    return beans.status(call, found["id"])


@routes.on("GET", "/statuscategory", anonymous=True)
def list_categories(call: Call) -> Json:
    """Return the status categories."""
    return [beans.category(call, one) for one in call.definition.categories.values()]


@routes.on("GET", "/statuscategory/{id}", anonymous=True)
def get_category(call: Call) -> Json:
    """Return one status category by id or key."""
    for one in call.definition.categories.values():
        if call.path["id"] in {str(one["id"]), one["key"]}:
            return beans.category(call, one)
    raise not_found(f"The status category with id '{call.path['id']}' does not exist")


# --- permissions


def _project_of(call: Call) -> int | None:
    issue = call.query.get("issueKey") or call.query.get("issueId")
    if issue:
        return int(issues.visible(call, issue)["project"])
    key = call.query.get("projectKey") or call.query.get("projectId")
    if not key:
        return None
    row = call.store.row("SELECT id FROM project WHERE key=? OR id=?", key.upper(), key)
    if row is None:
        raise not_found(f"No project could be found with key or id '{key}'.")
    return int(row["id"])


@routes.on("GET", "/mypermissions", anonymous=True)
def my_permissions(call: Call) -> Json:
    """Return what the caller may do, in a project, an issue or anywhere."""
    project = _project_of(call)
    wanted = call.words("permissions")
    if call.cloud and not wanted:
        raise bad_request("The 'permissions' query parameter is required.")
    known = sorted({one for held in call.definition.permissions.values() for one in held})
    unknown = [one for one in wanted if one not in known and one not in GLOBAL_PERMISSIONS]
    if unknown:
        raise bad_request(f"Unrecognized permission: {unknown[0]}")
    answer: Row = {}
    for number, name in enumerate([*known, *GLOBAL_PERMISSIONS]):
        if wanted and name not in wanted:
            continue
        answer[name] = {
            "id": str(number + 1),
            "key": name,
            "name": name.replace("_", " ").capitalize(),
            "type": "GLOBAL" if name in GLOBAL_PERMISSIONS else "PROJECT",
            "description": "",
            "havePermission": _holds(call, name, project),
        }
        if not call.cloud:
            answer[name]["deprecatedKey"] = False
    return {"permissions": answer}


def _holds(call: Call, name: str, project: int | None) -> bool:
    if name in GLOBAL_PERMISSIONS:
        return call.people.may_globally(call.caller, name)
    if project is not None:
        return call.may(name, project)
    return bool(call.people.projects_with(call.caller, name))


@routes.on("GET", "/permissions")
def all_permissions(call: Call) -> Json:
    """Return every permission of the site."""
    known = sorted({one for held in call.definition.permissions.values() for one in held})
    return {
        "permissions": {
            name: {
                "key": name,
                "name": name.replace("_", " ").capitalize(),
                "type": "GLOBAL" if name in GLOBAL_PERMISSIONS else "PROJECT",
                "description": "",
            }
            for name in [*known, *GLOBAL_PERMISSIONS]
        }
    }


@routes.on("GET", "/configuration")
def configuration(call: Call) -> Json:
    """Return the switches of the site."""
    call.user  # noqa: B018 - raises 401 for an anonymous caller
    return {
        "votingEnabled": True,
        "watchingEnabled": True,
        "unassignedIssuesAllowed": True,
        "subTasksEnabled": True,
        "issueLinkingEnabled": True,
        "timeTrackingEnabled": True,
        "attachmentsEnabled": True,
        "timeTrackingConfiguration": {
            "workingHoursPerDay": 8.0,
            "workingDaysPerWeek": 5.0,
            "timeFormat": "pretty",
            "defaultUnit": "minute",
        },
    }


# --- the session resource


@auth_routes.on("GET", "/auth/1/session", "/auth/latest/session", flavours=DATA_CENTER_ONLY)
def session(call: Call) -> Json:
    """Return the session of the caller, and how often somebody failed to open one."""
    count, last = call.site.failures.get(call.user.name, (0, 0))
    info: Row = {
        "failedLoginCount": count,
        "loginCount": 1,
        "previousLoginTime": stamp(call.site.now(), call.zone),
    }
    if count:
        info["lastFailedLoginTime"] = stamp(last, call.zone)
    return {
        "self": f"{call.site.url}/rest/api/latest/user?username={call.user.name}",
        "name": call.user.name,
        "loginInfo": info,
    }


@auth_routes.on("GET", "/auth/1/session", flavours=CLOUD_ONLY)
def cloud_session(call: Call) -> Json:
    """Return the session of the caller."""
    return {
        "self": f"{call.site.url}/rest/api/latest/user?accountId={call.user.id}",
        "name": call.user.email,
        "loginInfo": {"failedLoginCount": 0, "loginCount": 1},
    }


@auth_routes.on("DELETE", "/auth/1/session", "/auth/latest/session")
def log_out(call: Call) -> Json:
    """End the session of a cookie; with Basic credentials or a token there is none to end."""
    key = session_key(call.headers.get("cookie", ""))
    call.store.run("DELETE FROM token WHERE token=? AND name='session'", key)
    return Reply(status=HTTPStatus.NO_CONTENT)
