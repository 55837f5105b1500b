"""Small APIs: tiny URLs and the knowledge search."""

import secrets
from urllib.parse import parse_qsl, urlsplit

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    json_reply,
    no_record,
    object_body,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_SNIPPET = 200
_MOST_KEPT = 10_000


class TinyUrls:
    """Short names for long queries: POST /api/now/tinyurl, then `sysparm_tiny`."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[str, str], ...]] = {}

    def handle(self, call: Call) -> Reply:
        """Keep the parameters of a URL and answer with their short name.

        Raises:
            ApiError: 400 without a URL.
        """
        address = urlsplit(text_of(object_body(call).get("url")))
        if call.method != "POST" or not address.path:
            raise ApiError(400, "Invalid request", "url is required")
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        name = secrets.token_hex(16)
        self._kept[name] = tuple(parse_qsl(address.query, keep_blank_values=True))
        page = address.path.rpartition("/")[2]
        return json_reply({"result": f"{page}?sysparm_tiny={name}"})

    def expand(self, call: Call) -> Call:
        """Return a call with the parameters that its `sysparm_tiny` stands for.

        Raises:
            ApiError: 400 for a name never given out.
        """
        name = call.parameter("sysparm_tiny")
        if not name:
            return call
        if name not in self._kept:
            raise ApiError(400, "Invalid sysparm_tiny", name)
        own = tuple(pair for pair in call.parameters if pair[0] != "sysparm_tiny")
        return call.with_parameters(self._kept[name] + own)


class KnowledgeApi:
    """/api/sn_km_api[/v1]/knowledge/articles."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, call: Call, article: str) -> Reply:
        """Search articles, or return one.

        Raises:
            ApiError: 404 for an article that the caller cannot see.
        """
        if call.method != "GET":
            raise ApiError(405, "Method not supported", None)
        return self._one(call, article) if article else self._search(call)

    def _search(self, call: Call) -> Reply:
        limit = number(call.parameter("limit"), 30)
        offset = number(call.parameter("offset"), 0)
        words = call.parameter("query")
        text = f"^123TEXTQUERY321={words}" if words else ""
        extra = call.parameter("filter")
        query = parse(f"workflow_state=published{text}{'^' + extra if extra else ''}")
        table = self._instance.schema.tables["kb_knowledge"]
        selection = Selection(self._instance, table, query, call.actor)
        page = selection.page(limit, offset, count=True)
        fields = [name for name in call.parameter("fields").split(",") if name]
        rows = self._instance.store.full_rows(table, page.ids)
        articles = [
            self._brief(call, row, rank, fields) for rank, row in enumerate(rows, offset + 1)
        ]
        meta = {
            "start": offset,
            "end": offset + len(rows),
            "count": page.total,
            "fields": ",".join(fields),
            "query": words,
            "filter": extra,
            "kb": call.parameter("kb"),
            "language": call.parameter("language", "en"),
            "ts_query_id": secrets.token_hex(16),
            "status": {"code": 200},
        }
        return json_reply({"result": {"meta": meta, "articles": articles}})

    def _brief(self, call: Call, row: Row, rank: int, fields: list[str]) -> dict[str, object]:
        columns = self._instance.schema.tables["kb_knowledge"].columns
        display = self._instance.displays.display
        return {
            "link": f"?id=kb_article_view&sys_kb_id={row['sys_id']}",
            "rank": rank,
            "id": f"kb_knowledge:{row['sys_id']}",
            "number": row["number"],
            "title": row["short_description"],
            "snippet": row["text"][:_SNIPPET],
            "score": round(1 / rank, 4),
            "tags": [],
            "fields": {
                name: {
                    "display_value": display(columns[name], row[name], call.actor) or "",
                    "name": name,
                    "label": columns[name].label,
                    "type": columns[name].type.value,
                    "value": row[name],
                }
                for name in fields
                if name in columns
            },
        }

    def _one(self, call: Call, article: str) -> Reply:
        found = self._instance.records.find("kb_knowledge", sys_id=article)
        found = found or self._instance.records.find("kb_knowledge", number=article)
        table = self._instance.schema.tables["kb_knowledge"]
        rule = self._instance.access.row_rule(call.actor, table)
        if not found or (rule is not None and not rule(found[0])):
            raise no_record()
        row = found[0]
        files = self._instance.records.find("sys_attachment", table_sys_id=row["sys_id"])
        shown = {
            "sys_id": row["sys_id"],
            "number": row["number"],
            "short_description": row["short_description"],
            "content": row["text"],
            "template": False,
            "display_attachments": bool(files),
            "attachments": [
                {"sys_id": file["sys_id"], "file_name": file["file_name"]} for file in files
            ],
        }
        return json_reply({"result": shown})


def number(text: str, default: int) -> int:
    """Return a count parameter, or its default where it is none."""
    return min(int(text), 10_000_000) if text.isdecimal() else default
