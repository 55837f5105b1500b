"""An issue as the platform API shows it: fields, rendered fields, names, schema, changelog."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from connectors.jira.sandbox import agile, approvals, beans, sla, talk, text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.durations import duration_of
from connectors.jira.sandbox.fields import kept, option_values, rank_of
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row, desk_date, stamp

_RANKS = 100
Show: TypeAlias = Callable[[Call, FieldSpec, Row], Json]
_SCHEMA_TYPES: Mapping[str, tuple[str, str]] = {
    "string": ("string", ""),
    "text": ("string", ""),
    "number": ("number", ""),
    "date": ("date", ""),
    "datetime": ("datetime", ""),
    "option": ("option", ""),
    "options": ("array", "option"),
    "user": ("user", ""),
    "users": ("array", "user"),
    "groups": ("array", "group"),
    "labels": ("array", "string"),
    "priority": ("priority", ""),
    "resolution": ("resolution", ""),
    "issuetype": ("issuetype", ""),
    "project": ("project", ""),
    "status": ("status", ""),
    "components": ("array", "component"),
    "versions": ("array", "version"),
    "parent": ("issuelink", ""),
    "subtasks": ("array", "issuelinks"),
    "issuelinks": ("array", "issuelinks"),
    "comment": ("comments-page", ""),
    "worklog": ("array", "worklog"),
    "watches": ("watches", ""),
    "votes": ("votes", ""),
    "attachment": ("array", "attachment"),
    "timetracking": ("timetracking", ""),
    "seconds": ("number", ""),
    "workratio": ("number", ""),
    "progress": ("progress", ""),
    "approvals": ("sd-approvals", ""),
    "sla": ("sd-servicelevelagreement", ""),
    "requesttype": ("sd-customerrequesttype", ""),
    "organizations": ("array", "sd-customerorganization"),
    "any": ("any", ""),
    "rank": ("any", ""),
    "sprints": ("array", "json"),
    "epiclink": ("any", ""),
}


def schema(spec: FieldSpec) -> Row:
    """Return the schema of a field."""
    kind, items = _SCHEMA_TYPES[spec.kind]
    if spec.id == "security":
        kind = "securitylevel"
    found: Row = {"type": kind}
    if items:
        found["items"] = items
    if spec.custom:
        found["custom"] = spec.custom
        found["customId"] = int(spec.id.removeprefix("customfield_"))
    else:
        found["system"] = spec.id
    return found


def chosen(call: Call, wanted: Iterable[str], default: str) -> list[FieldSpec]:
    """Return the fields that a `fields` parameter chooses.

    `*all` and `*navigable` name sets, a leading minus takes a field away; unknown names are
    passed over, as Jira does.
    """
    names = list(wanted) or [default]
    place = ("chosen", tuple(names))
    if place in call.memo:
        held: list[FieldSpec] = call.memo[place]
        return held
    found = call.memo[place] = _chosen(call, names, default)
    return found


def _chosen(call: Call, names: list[str], default: str) -> list[FieldSpec]:
    if all(name.startswith("-") for name in names):
        names = [default, *names]
    picked: dict[str, FieldSpec] = {}
    for name in names:
        if name == "*all":
            picked |= {spec.id: spec for spec in known(call)}
        elif name == "*navigable":
            picked |= {spec.id: spec for spec in known(call) if spec.navigable}
        else:
            spec = call.definition.field_named(name.removeprefix("-"))
            if spec is not None and name.startswith("-"):
                picked.pop(spec.id, None)
            elif spec is not None:
                picked[spec.id] = spec
    return list(picked.values())


def known(call: Call) -> list[FieldSpec]:
    """Return the fields of the site in this flavour."""
    return [spec for spec in call.definition.fields.values() if call.cloud or not spec.cloud_only]


_EXPANDS = "operations,editmeta,changelog,versionedRepresentations"


def issue(call: Call, row: Row, specs: list[FieldSpec]) -> Row:
    """Return the bean of an issue with the values of these fields."""
    return {
        "expand": f"renderedFields,names,schema,{_EXPANDS},customfield_10010.requestTypePractice"
        if call.cloud
        else f"renderedFields,names,schema,transitions,{_EXPANDS}",
        "id": str(row["id"]),
        "self": f"{call.api}/issue/{row['id']}",
        "key": row["key"],
        "fields": {spec.id: value(call, spec, row) for spec in specs},
    }


def value(call: Call, spec: FieldSpec, row: Row) -> Json:
    """Return what an issue shows for a field."""
    special = _BY_ID.get(spec.id) or _LIVE.get(spec.kind)
    if special is not None:
        return special(call, spec, row)
    held = kept(row, spec.id)
    if held is None:
        return [] if spec.kind in {"labels", "components", "versions", "organizations"} else None
    if held == [] and spec.custom and spec.kind != "organizations":
        return None
    show = _KEPT.get(spec.kind)
    return held if show is None else show(call, spec, held)


KeptShow: TypeAlias = Callable[[Call, FieldSpec, Json], Json]


def _options(call: Call, spec: FieldSpec, held: Json) -> Json:
    found = [
        {"self": f"{call.api}/customFieldOption/{one['id']}", **one}
        for one in option_values(spec, held)
    ]
    return found if spec.kind == "options" else next(iter(found), None)


def _children(call: Call, spec: FieldSpec, held: Json) -> Json:
    table = "component" if spec.kind == "components" else "version"
    found: list[Row] = []
    for number in held:
        row = call.store.row(
            f"SELECT * FROM {table} WHERE id=?",  # noqa: S608 - a word of ours
            number,
        )
        if row is not None:
            known_of = {"self": f"{call.api}/{table}/{number}", "id": str(number)}
            found.append({**known_of, "name": row["name"], **loads(row["detail"])})
    return found


def _groups(call: Call, _spec: FieldSpec, held: Json) -> Json:
    rows = [call.people.group(one) for one in held]
    return [beans.group(call, one) for one in rows if one is not None]


def _tracking(_call: Call, _spec: FieldSpec, held: Json) -> Json:
    found: Row = {}
    for name in ("originalEstimate", "remainingEstimate"):
        if name in held:
            found[name] = duration_of(held[name])
            found[f"{name}Seconds"] = held[name]
    return found


def _tracked(call: Call, row: Row) -> Json:
    spec = call.definition.fields["timetracking"]
    found: Row = _tracking(call, spec, row["fields"].get("timetracking") or {})
    spent = call.store.value("SELECT sum(seconds) FROM worklog WHERE issue=?", row["id"])
    if spent:
        found |= {"timeSpent": duration_of(spent), "timeSpentSeconds": spent}
    return found


_KEPT: Mapping[str, KeptShow] = {
    "text": lambda call, _spec, held: text.show(held, document=call.document),
    "user": lambda call, _spec, held: beans.user_of(call, held),
    "users": lambda call, _spec, held: [beans.user_of(call, one) for one in held],
    "groups": _groups,
    "datetime": lambda call, _spec, held: stamp(held, call.zone),
    "option": _options,
    "options": _options,
    "priority": lambda call, _spec, held: beans.priority(call, held),
    "resolution": lambda call, _spec, held: beans.resolution(call, held),
    "issuetype": lambda call, _spec, held: beans.issue_type(call, held),
    "status": lambda call, _spec, held: beans.status(call, held),
    "project": lambda call, _spec, held: beans.project_bean(call, held),
    "components": _children,
    "versions": _children,
    "timetracking": _tracking,
    "sprints": lambda call, _spec, held: agile.sprints_shown(call, held),
    "epiclink": lambda call, _spec, held: call.store.value(
        "SELECT key FROM issue WHERE id=?", held
    ),
}


# --- values that are computed from other tables


def brief(call: Call, row: Row) -> Row:
    """Return a linked issue: key, summary, status, priority and type."""
    return {
        "id": str(row["id"]),
        "key": row["key"],
        "self": f"{call.api}/issue/{row['id']}",
        "fields": {
            "summary": row["summary"],
            "status": beans.status(call, row["status"]),
            "priority": beans.priority(call, row["priority"]),
            "issuetype": beans.issue_type(call, row["type"]),
        },
    }


def _parent(call: Call, _spec: FieldSpec, row: Row) -> Json:
    found = call.store.row("SELECT * FROM issue WHERE id=?", row["parent"])
    return None if found is None else brief(call, found)


def _subtasks(call: Call, _spec: FieldSpec, row: Row) -> Json:
    found = call.store.rows("SELECT * FROM issue WHERE parent=? ORDER BY id", row["id"])
    return [brief(call, one) for one in found]


def link_type(call: Call, number: str) -> Row:
    """Return a link type."""
    one = call.definition.link_types[number]
    return {
        "id": number,
        "name": one["name"],
        "inward": one["inward"],
        "outward": one["outward"],
        "self": f"{call.api}/issueLinkType/{number}",
    }


def _links(call: Call, _spec: FieldSpec, row: Row) -> Json:
    found: list[Row] = []
    rows = call.store.rows(
        "SELECT * FROM link WHERE source=? OR target=? ORDER BY id", row["id"], row["id"]
    )
    for one in rows:
        other, side = (
            (one["target"], "outwardIssue")
            if one["source"] == row["id"]
            else (one["source"], "inwardIssue")
        )
        linked = call.store.row("SELECT * FROM issue WHERE id=?", other)
        if linked is None or not call.may("BROWSE_PROJECTS", linked["project"]):
            continue
        found.append(
            {
                "id": str(one["id"]),
                "self": f"{call.api}/issueLink/{one['id']}",
                "type": link_type(call, one["type"]),
                side: brief(call, linked),
            }
        )
    return found


def _seconds(call: Call, spec: FieldSpec, row: Row) -> Json:
    held = row["fields"].get("timetracking", {})
    if spec.id == "timespent":
        spent = call.store.value("SELECT sum(seconds) FROM worklog WHERE issue=?", row["id"])
        return None if spent is None else int(spent)
    name = "remainingEstimate" if spec.id == "timeestimate" else "originalEstimate"
    return held.get(name)


def _approvals(call: Call, _spec: FieldSpec, row: Row) -> Json:
    found = [approvals.bean(call, one) for one in approvals.listing(call, row)]
    return found or None


def _request_type(call: Call, _spec: FieldSpec, row: Row) -> Json:
    found = call.store.row("SELECT * FROM request_type WHERE id=?", row["request_type"])
    if found is None:
        return None
    spec = loads(found["spec"])
    desk = call.store.value("SELECT id FROM desk WHERE project=?", row["project"])
    base = call.site.url
    where = f"{base}/rest/servicedeskapi"
    return {
        "_links": {
            "jiraRest": f"{base}/rest/api/2/issue/{row['key']}",
            "web": f"{base}/servicedesk/customer/portal/{desk}/{row['key']}",
            "self": f"{where}/request/{row['key']}",
            "agent": f"{base}/browse/{row['key']}",
        },
        "requestType": {
            "_expands": ["field"],
            "id": str(found["id"]),
            "_links": {"self": f"{where}/servicedesk/{desk}/requesttype/{found['id']}"},
            "name": found["name"],
            "description": spec["description"],
            "helpText": "",
            "issueTypeId": row["type"],
            "serviceDeskId": str(desk),
            "portalId": str(desk),
            "groupIds": [str(spec["group"] + 1)],
        },
        "currentStatus": {
            "status": call.definition.statuses[row["status"]]["name"],
            "statusCategory": call.definition.category_of(row["status"])["key"].upper(),
            "statusDate": desk_date(row["category_changed"], call.zone),
        },
    }


def _sla(call: Call, spec: FieldSpec, row: Row) -> Json:
    return next((one for one in sla.listing(call, row) if one["name"] == spec.name), None)


_LIVE: Mapping[str, Show] = {
    "parent": _parent,
    "subtasks": _subtasks,
    "issuelinks": _links,
    "comment": talk.comments,
    "worklog": talk.worklogs,
    "watches": talk.watches,
    "votes": talk.votes,
    "attachment": talk.attachments,
    "seconds": _seconds,
    "approvals": _approvals,
    "requesttype": _request_type,
    "sla": _sla,
    "workratio": lambda _call, _spec, _row: -1,
    "rank": lambda _call, _spec, row: f"0|i{int(rank_of(row) * _RANKS):09d}:",
    "progress": lambda _call, _spec, _row: {"progress": 0, "total": 0},
}
_BY_ID: Mapping[str, Show] = {
    "timetracking": lambda call, _spec, row: _tracked(call, row),
    "lastViewed": lambda _call, _spec, _row: None,
    "security": lambda _call, _spec, _row: None,
}
