"""The Attachment API: /api/now[/v1]/attachment..."""

import hashlib
from collections.abc import Mapping

import orjson
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.api.table import TableApi, query_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, no_record, refused
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_TABLE = "sys_attachment"
_HIDDEN = ("encryption_context", "image_width", "image_height")


class AttachmentApi:
    """Files at records: listing, reading, uploading raw or as a form, deleting."""

    def __init__(self, instance: Instance, tables: TableApi) -> None:
        self._instance = instance
        self._tables = tables

    def handle(self, call: Call, rest: str) -> Reply:
        """Answer one call; `rest` is the path behind /attachment.

        Raises:
            ApiError: as the vendor words it.
        """
        parts = [part for part in rest.split("/") if part]
        if call.method == "GET":
            return self._get(call, parts)
        if call.method == "POST" and parts == ["file"]:
            return self._upload(call, dict(call.parameters), call.body, _content_type(call))
        if call.method == "POST" and parts == ["upload"]:
            return self._form(call)
        if call.method == "DELETE" and len(parts) == 1:
            return self._delete(call, parts[0])
        raise ApiError(405, "Method not supported", None)

    def _get(self, call: Call, parts: list[str]) -> Reply:
        if not parts:
            return self._list(call)
        row = self._readable(call, parts[0])
        if parts[1:] == ["file"]:
            shown = self._shown(call, row)
            return Reply(
                body=self._instance.store.blob(row["sys_id"]),
                content_type=row["content_type"],
                headers={
                    "X-Attachment-Metadata": orjson.dumps(shown).decode(),
                    "Content-Disposition": f"attachment;filename*=UTF-8''{row['file_name']}",
                },
            )
        return json_reply({"result": self._shown(call, row)})

    def _list(self, call: Call) -> Reply:
        table = self._instance.schema.tables[_TABLE]
        selection = Selection(self._instance, table, query_of(call), call.actor)
        limit = number(call.parameter("sysparm_limit"), 1000)
        page = selection.page(limit, number(call.parameter("sysparm_offset"), 0), count=True)
        rows = self._instance.store.full_rows(table, page.ids)
        seen = [self._shown(call, row) for row in rows if self._parent_seen(call, row)]
        return json_reply({"result": seen}, headers={"X-Total-Count": str(page.total)})

    def _parent_seen(self, call: Call, row: Row) -> bool:
        """A file is seen by who sees its record."""
        table = self._instance.schema.get(row["table_name"])
        if table is None:
            return call.actor.is_admin
        rule = self._instance.access.row_rule(call.actor, table)
        parent = self._instance.store.read(table, row["table_sys_id"])
        return parent is not None and (rule is None or rule(parent))

    def _readable(self, call: Call, sys_id: str) -> Row:
        row = self._instance.records.read(_TABLE, sys_id)
        if row is None or not self._parent_seen(call, row):
            raise no_record()
        return row

    def _shown(self, call: Call, row: Row) -> dict[str, str]:
        shown = {name: value for name, value in row.items() if name not in _HIDDEN}
        shown["download_link"] = f"{call.base}/api/now/attachment/{row['sys_id']}/file"
        return shown

    def _upload(
        self, call: Call, given: Mapping[str, str], content: bytes, content_type: str
    ) -> Reply:
        table_name, parent_id = given.get("table_name", ""), given.get("table_sys_id", "")
        file_name = given.get("file_name", "")
        table = self._instance.schema.get(table_name)
        if not (table_name and parent_id and file_name):
            raise ApiError(
                400, "Missing parameter", "table_name, table_sys_id and file_name are required"
            )
        if table is None:
            raise ApiError(400, f"Invalid table {table_name}", None)
        parent = self._tables.readable(call, table, parent_id)
        if not self._instance.access.can_write(call.actor, table, parent):
            raise refused("Insert")
        row = self._instance.records.insert(
            _TABLE,
            {
                "table_name": table_name,
                "table_sys_id": parent_id,
                "file_name": file_name,
                "content_type": content_type or "application/octet-stream",
                "size_bytes": str(len(content)),
                "size_compressed": str(len(content)),
                "hash": hashlib.sha256(content).hexdigest(),
            },
            call.actor,
        )
        self._instance.store.put_blob(row["sys_id"], content)
        link = f"{call.base}/api/now/v1/attachment/{row['sys_id']}/file"
        return json_reply({"result": self._shown(call, row)}, 201, {"Location": link})

    def _form(self, call: Call) -> Reply:
        fields: dict[str, str] = {}
        files: list[tuple[str, str, bytes]] = []

        def on_field(field: object) -> None:
            name, value = getattr(field, "field_name", b""), getattr(field, "value", b"")
            fields[(name or b"").decode()] = (value or b"").decode()

        def on_file(file: object) -> None:
            handle = getattr(file, "file_object", None)
            name = getattr(file, "file_name", None) or b"file"
            if handle is not None:
                handle.seek(0)
                kind = getattr(file, "content_type", None) or ""
                files.append((name.decode(), str(kind), handle.read()))

        kind = _content_type(call)
        if "multipart/form-data" not in kind:
            raise ApiError(415, "Unsupported media type", f"Media type {kind} is not supported")
        try:
            parser = create_form_parser({"Content-Type": kind.encode()}, on_field, on_file)
            parser.write(call.body)
            parser.finalize()
        except (FormParserError, UnicodeDecodeError) as error:
            raise ApiError(400, "Exception while reading request", str(error)) from error
        if not files:
            raise ApiError(400, "Missing file", "uploadFile is required")
        name, file_kind, content = files[-1]
        return self._upload(call, {"file_name": name, **fields}, content, file_kind)

    def _delete(self, call: Call, sys_id: str) -> Reply:
        row = self._readable(call, sys_id)
        own = row["sys_created_by"] == call.actor.user_name
        if not own and not call.actor.has("itil"):
            raise refused("Delete")
        self._instance.records.delete(_TABLE, sys_id, call.actor)
        self._instance.store.drop_blob(sys_id)
        return Reply(status=204)


def _content_type(call: Call) -> str:
    return call.headers.get("content-type", "")
