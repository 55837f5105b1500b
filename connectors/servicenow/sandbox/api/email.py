"""The Email API: /api/now[/v1]/email[/{id}]; a mail is a record that nobody sends."""

import orjson

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    api_refused,
    json_reply,
    object_body,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.store import Row

_ROLE = "email_api_send"
_MOST = 100
_ADDRESSED = {"to": "recipients", "cc": "copied", "bcc": "blind_copied"}


class EmailApi:
    """Mails that an integration hands in, and what became of them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def handle(self, call: Call, sys_id: str) -> Reply:
        """Answer one call.

        Raises:
            ApiError: 403 without the role and for a mail that is not there, 400 for a bad one.
        """
        if call.method == "POST" and not sys_id:
            return self._create(call)
        if call.method == "GET" and sys_id:
            return self._one(call, sys_id)
        raise ApiError(405, "Method not supported", None)

    def _create(self, call: Call) -> Reply:
        if not call.actor.has(_ROLE):
            raise api_refused()
        body = object_body(call)
        values = {column: _addresses(body.get(name), name) for name, column in _ADDRESSED.items()}
        if not values["recipients"]:
            raise ApiError(400, "Invalid request", "to is required")
        table, number = text_of(body.get("table_name")), text_of(body.get("table_record_id"))
        if bool(table) != bool(number) or (table and table not in self._instance.schema.tables):
            raise ApiError(400, "Invalid request", "table_name and table_record_id go together")
        headers = body.get("headers")
        values |= {
            "subject": text_of(body.get("subject")),
            "body": text_of(body.get("html")),
            "body_text": text_of(body.get("text")),
            "importance": text_of(body.get("importance")),
            "headers": orjson.dumps(headers if isinstance(headers, dict) else {}).decode(),
            "target_table": table,
            "instance": number,
            "type": "send-ready",
            "state": "ready",
        }
        made = self._records.insert("sys_email", values, call.actor)["sys_id"]
        link = f"/now/v1/email/{made}"
        status = f"{link}?sysparm_fields=id,type,state,error"
        links = [{"rel": "self", "href": link}, {"rel": "status", "href": status}]
        return json_reply({"result": {"id": made, "links": links}})

    def _one(self, call: Call, sys_id: str) -> Reply:
        row = self._records.read("sys_email", sys_id)
        own = row is not None and row["sys_created_by"] == call.actor.user_name
        if row is None or not (own or call.actor.is_admin):
            raise ApiError(403, "User Not Authorized", "Failed API level ACL Validation")
        shown = _shown(row)
        wanted = [name for name in call.parameter("sysparm_fields").split(",") if name in shown]
        # The error is told only to who asks for it.
        names = wanted or [name for name in shown if name != "error"]
        return json_reply({"result": {name: shown[name] for name in names}})


def _addresses(given: object, name: str) -> str:
    listed = given if isinstance(given, list) else [given]
    found = [text_of(one) for one in listed if text_of(one)]
    if len(found) > _MOST:
        raise ApiError(400, "Invalid request", f"{name} holds more than {_MOST} addresses")
    return ",".join(found)


def _shown(row: Row) -> dict[str, object]:
    shown: dict[str, object] = {name: row[column].split(",") for name, column in _ADDRESSED.items()}
    headers: object = orjson.loads(row["headers"] or "{}")
    return shown | {
        "headers": headers,
        "type": row["type"],
        "html": row["body"],
        "subject": row["subject"],
        "state": row["state"],
        "id": row["sys_id"],
        "importance": row["importance"],
        "text": row["body_text"],
        "error": row["error_string"],
    }
