"""What the daemon's account must never write (invariant I3), judged from the sandbox's own log."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_APPROVAL = frozenset({"approval", "approval_set", "approval_history"})
_WHO_MAY = frozenset(
    {"sys_user_grmember", "sys_user_has_role", "sys_user", "sys_user_delegate", "sys_user_group"}
)
_APPROVERS = frozenset({"customfield_10003", "customfield_10038", "customfield_10045"})
_ANSWER = re.compile(r"/rest/servicedeskapi/request/[^/]+/approval/[^/]+$")
_ISSUE = re.compile(r"/rest/api/[23]/issue/([^/]+)$")
_TRANSITION = re.compile(r"/rest/api/[23]/issue/([^/]+)/transitions$")


def forbidden(
    system: str, log: Iterable[Mapping[str, Any]], stolen: Collection[int] = ()
) -> list[str]:
    """Return every forbidden write of the daemon's account, however it was answered."""
    writes = [one for one in log if one["method"] in _WRITES and one["id"] not in stolen]
    return _servicenow(writes) if system == "servicenow" else _jira(writes)


def _servicenow(writes: Iterable[Mapping[str, Any]]) -> list[str]:
    found: list[str] = []
    for one in writes:
        path, body = urlsplit(one["target"]).path, _body(one)
        table = path.removeprefix("/api/now/table/").partition("/")[0]
        is_answer = table.startswith("sysapproval") or "/approvals" in path or "batch" in path
        if is_answer or _APPROVAL & set(body) or table in _WHO_MAY:
            found.append(_line(one))
    return found


def _jira(writes: Iterable[Mapping[str, Any]]) -> list[str]:
    """An answer to an approval, a membership, or approvers after the change was submitted.

    Submitted is what has been moved by us: before its first transition nobody has been asked.
    """
    found: list[str] = []
    moved: set[str] = set()
    for one in writes:
        path, body = urlsplit(one["target"]).path, _body(one)
        if _ANSWER.search(path) or "/group" in path:
            found.append(_line(one))
        if (move := _TRANSITION.search(path)) is not None:
            moved.add(move[1])
        edited = _ISSUE.search(path)
        fields = {*body.get("fields", {}), *body.get("update", {})}
        if edited is not None and edited[1] in moved and fields & _APPROVERS:
            found.append(_line(one))
    return found


def _body(one: Mapping[str, Any]) -> dict[str, Any]:
    text = one["body"]
    if not text or not text.lstrip().startswith("{"):
        return {}
    found: dict[str, Any] = json.loads(text)
    return found


def _line(one: Mapping[str, Any]) -> str:
    return f"{one['method']} {one['target']} {one['body'][:200]}"
