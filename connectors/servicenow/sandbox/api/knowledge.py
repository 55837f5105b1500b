"""The Knowledge API: /api/sn_km_api[/v1]/knowledge/articles..."""

import secrets

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, no_record
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_SNIPPET = 200
_TABLE = "kb_knowledge"
# What a portal's first page shows is what this word was given to.
_FEATURED = "homepage"


class KnowledgeApi:
    """Articles: searched, most viewed, featured, one by one, and the files at them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def handle(self, call: Call, rest: str) -> Reply:
        """Answer one call; `rest` is the path behind /articles.

        Raises:
            ApiError: 404 for an article or a file that the caller cannot see.
        """
        if call.method != "GET":
            raise ApiError(405, "Method not supported", None)
        match [part for part in rest.split("/") if part]:
            case []:
                return self._search(call)
            case ["most_viewed"]:
                return self._most_viewed(call)
            case ["featured"]:
                return self._featured(call)
            case [article]:
                return self._one(call, self._article(call, article))
            case [article, "attachments", file]:
                return self._file(self._article(call, article), file)
            case _:
                path = call.path[5:]
                raise ApiError(400, f"Requested URI does not represent any resource: {path}", None)

    # --- lists

    def _search(self, call: Call) -> Reply:
        words, extra = call.parameter("query"), call.parameter("filter")
        text = f"^123TEXTQUERY321={words}" if words else ""
        rows, meta = self._found(call, f"{text}{'^' + extra if extra else ''}")
        search = secrets.token_hex(16)
        articles = [
            {
                **self._brief(call, row),
                "link": f"?id=kb_article_view&sys_kb_id={row['sys_id']}"
                f"&sysparm_rank={rank}&sysparm_tsqueryId={search}",
                "rank": rank,
                "score": round(1 / rank, 4),
            }
            for rank, row in enumerate(rows, number(call.parameter("offset"), 0) + 1)
        ]
        meta |= {"query": words, "filter": extra, "ts_query_id": search}
        return json_reply({"result": {"meta": meta, "articles": articles}})

    def _most_viewed(self, call: Call) -> Reply:
        order = "^sys_view_count>0^ORDERBYDESCsys_view_count^ORDERBYshort_description"
        rows, meta = self._found(call, order)
        articles = [
            {**self._brief(call, row), "score": int(row["sys_view_count"] or 0)} for row in rows
        ]
        meta |= {"query": "", "filter": f"workflow_state=published{order}"}
        return json_reply({"result": {"meta": meta, "articles": articles}})

    def _featured(self, call: Call) -> Reply:
        rows, meta = self._found(call, f"^metaLIKE{_FEATURED}")
        articles = [{**self._brief(call, row), "score": -1} for row in rows]
        meta |= {"query": _FEATURED, "filter": ""}
        return json_reply({"result": {"meta": meta, "articles": articles}})

    def _found(self, call: Call, query: str) -> tuple[list[Row], dict[str, object]]:
        """Return the published articles of a page and what every list says of itself."""
        bases = ",".join(_listed(call, "kb"))
        language = call.parameter("language", "en")
        encoded = "workflow_state=published"
        encoded += f"^kb_knowledge_baseIN{bases}" if bases else ""
        encoded += f"^languageIN{language}" if language != "all" else ""
        table = self._instance.schema.tables[_TABLE]
        selection = Selection(self._instance, table, parse(encoded + query), call.actor)
        offset = number(call.parameter("offset"), 0)
        page = selection.page(number(call.parameter("limit"), 30), offset, count=True)
        rows = self._instance.store.full_rows(table, page.ids)
        meta: dict[str, object] = {
            "start": offset,
            "end": offset + len(rows),
            "count": page.total,
            "fields": ",".join(_listed(call, "fields")),
            "kb": bases,
            "language": language,
            "status": {"code": 200},
        }
        return rows, meta

    def _brief(self, call: Call, row: Row) -> dict[str, object]:
        return {
            "link": f"?id=kb_article_view&sys_kb_id={row['sys_id']}",
            "id": f"{_TABLE}:{row['sys_id']}",
            "number": row["number"],
            "title": row["short_description"],
            "snippet": row["text"][:_SNIPPET],
            "tags": [],
            "fields": self._fields(call, row),
        }

    def _fields(self, call: Call, row: Row) -> dict[str, object]:
        columns = self._instance.schema.tables[_TABLE].columns
        display = self._instance.displays.display
        return {
            name: {
                "display_value": display(columns[name], row[name], call.actor) or "",
                "name": name,
                "label": columns[name].label,
                "type": columns[name].type.value,
                "value": row[name],
            }
            for name in _listed(call, "fields")
            if name in columns
        }

    # --- one article

    def _article(self, call: Call, named: str) -> Row:
        found = self._records.find(_TABLE, sys_id=named)
        found = found or self._records.find(_TABLE, number=named)
        table = self._instance.schema.tables[_TABLE]
        rule = self._instance.access.row_rule(call.actor, table)
        if not found or (rule is not None and not rule(found[0])):
            raise no_record()
        return found[0]

    def _one(self, call: Call, row: Row) -> Reply:
        names = {name for name, _ in call.parameters}
        # The parameter counts however it is set; a rank and its search count as a view, too.
        if "update_view" in names or {"search_id", "search_rank"} <= names:
            views = {"sys_view_count": str(int(row["sys_view_count"] or 0) + 1)}
            self._records.update(_TABLE, row["sys_id"], views)
        files = self._records.find("sys_attachment", table_sys_id=row["sys_id"])
        shown: dict[str, object] = {
            "content": row["text"],
            "template": False,
            "number": row["number"],
            "sys_id": row["sys_id"],
            "short_description": row["short_description"],
            "display_attachments": bool(files),
            "attachments": [
                {
                    "sys_id": file["sys_id"],
                    "file_name": file["file_name"],
                    "size_bytes": file["size_bytes"],
                    "state": "available_conditionally",
                }
                for file in files
            ],
            "embedded_content": [],
        }
        fields = self._fields(call, row)
        return json_reply({"result": shown | ({"fields": fields} if fields else {})})

    def _file(self, row: Row, file: str) -> Reply:
        found = self._records.find("sys_attachment", sys_id=file, table_sys_id=row["sys_id"])
        if not found:
            raise no_record()
        return Reply(body=self._instance.store.blob(file), content_type=found[0]["content_type"])


def _listed(call: Call, name: str) -> list[str]:
    """Return the values of a parameter that may be given more than once or with commas."""
    given = [value for key, value in call.parameters if key == name]
    return [one.strip() for value in given for one in value.split(",") if one.strip()]
