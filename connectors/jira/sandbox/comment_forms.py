"""What a request may say in a comment or worklog: its body, and who may read it."""

from connectors.jira.sandbox import text
from connectors.jira.sandbox.reading import ValueRefusedError
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json, Row


def comment_body(call: Call, value: Row) -> Row:
    """Return what is kept of the body of a comment.

    Raises:
        ValueRefusedError: it is empty, of the wrong form, or too long.
    """
    try:
        body = text.read(value.get("body"), document=call.document)
    except text.TextRefusedError as error:
        raise ValueRefusedError(
            "Comment body is not valid!" if call.document else error.reason
        ) from error
    if body is None or not text.plain_of(body).strip():
        raise ValueRefusedError("Comment body can not be empty!")
    return body


def visibility(call: Call, project: int, value: Json) -> Row | None:
    """Return the restriction of a comment or worklog to a role or a group, or None.

    The words are those that the vendor's own Java client expects of a site.

    Raises:
        ValueRefusedError: it names nothing, or a role or group that the caller is not in.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") not in {"role", "group"}:
        raise ValueRefusedError("Invalid visibility.")
    named = str(value.get("value") or value.get("identifier"))
    if value["type"] == "role":
        return _role(call, project, named)
    group = call.people.group(named)
    if group is None:
        raise ValueRefusedError(f"Group: {named} does not exist.")
    if not call.people.is_in(call.user, (group["name"],)):
        raise ValueRefusedError(f"You are currently not a member of the group: {group['name']}.")
    return _limit(call, "group", group["name"], group["id"])


def _role(call: Call, project: int, named: str) -> Row:
    roles = call.definition.roles
    name = next((one for one, number in roles.items() if named in {one, str(number)}), None)
    if name is None:
        raise ValueRefusedError("Invalid role level specified.")
    if name not in call.people.roles_in(call.user, project):
        raise ValueRefusedError(f"You are currently not a member of the project role: {name}.")
    return _limit(call, "role", name, name)


def _limit(call: Call, kind: str, name: str, identifier: str) -> Row:
    held: Row = {"type": kind, "value": name}
    return held | {"identifier": identifier} if call.cloud else held


def comment_properties(value: Row) -> tuple[bool, Row]:
    """Return whether a comment is internal, and its entity properties."""
    held: Row = {}
    for one in value.get("properties") or ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            held[one["key"]] = one.get("value")
    public = held.get("sd.public.comment")
    internal = isinstance(public, dict) and public.get("internal") in {True, "true"}
    return internal, held
