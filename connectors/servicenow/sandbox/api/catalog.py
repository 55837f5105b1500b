"""The Service Catalog API: /api/sn_sc[/v1]/servicecatalog/..."""

import re
from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.api.misc import number
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
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.store import Row

_MOST = 10_000


class CatalogApi:
    """Items with their variables, ordering at once, the cart."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self._routes: tuple[tuple[str, str, Callable[[Call, str], Reply]], ...] = (
            ("GET", "items", self._items),
            ("GET", "items/(?P<id>[^/]+)", self._shown),
            ("GET", "items/(?P<id>[^/]+)/variables", self._questions_of),
            ("POST", "items/(?P<id>[^/]+)/order_now", self._order_now),
            ("POST", "items/(?P<id>[^/]+)/submit_producer", self._submit),
            ("POST", "items/(?P<id>[^/]+)/add_to_cart", self._add),
            ("GET", "cart", self._own_cart),
            ("POST", "cart/(?:checkout|submit_order)", self._checkout),
            ("DELETE", "cart/(?P<id>[^/]+)(?:/empty)?", self._empty),
            ("GET", "catalogs", self._catalogs),
            ("GET", "catalogs/(?P<id>[^/]+)", self._catalog),
            ("GET", "catalogs/(?P<id>[^/]+)/categories", self._categories),
            ("GET", "categories/(?P<id>[^/]+)", self._category),
        )

    def handle(self, call: Call, rest: str) -> Reply:
        """Answer one call; `rest` is the path behind /servicecatalog/.

        Raises:
            ApiError: as the vendor words it.
        """
        for method, pattern, handler in self._routes:
            match = re.fullmatch(pattern, rest.strip("/")) if method == call.method else None
            if match is not None:
                return handler(call, match.groupdict().get("id", ""))
        raise ApiError(400, f"Requested URI does not represent any resource: {call.path[5:]}", None)

    def _catalogs(self, _call: Call, _sys_id: str) -> Reply:
        found = self._records.find("sc_catalog", active="true")
        return json_reply({"result": [_brief(row, "title") for row in found]})

    def _catalog(self, _call: Call, sys_id: str) -> Reply:
        return json_reply({"result": _brief(self._row("sc_catalog", sys_id), "title")})

    def _categories(self, _call: Call, sys_id: str) -> Reply:
        found = self._records.find("sc_category", sc_catalog=sys_id)
        return json_reply({"result": [_brief(row, "title") for row in found]})

    def _category(self, _call: Call, sys_id: str) -> Reply:
        return json_reply({"result": _brief(self._row("sc_category", sys_id), "title")})

    def _row(self, table: str, sys_id: str) -> Row:
        row = self._records.read(table, sys_id)
        if row is None:
            raise no_record()
        return row

    def _active(self, sys_id: str) -> Row:
        row = self._row("sc_cat_item", sys_id)
        if row["active"] != "true":
            raise no_record()
        return row

    def _shown(self, _call: Call, sys_id: str) -> Reply:
        return json_reply({"result": self._item(self._active(sys_id))})

    def _questions_of(self, _call: Call, sys_id: str) -> Reply:
        return json_reply({"result": self._variables(self._active(sys_id))})

    def _own_cart(self, call: Call, _sys_id: str) -> Reply:
        return json_reply({"result": self._cart(call)})

    def _items(self, call: Call, _sys_id: str) -> Reply:
        text = call.parameter("sysparm_text").lower()
        category = call.parameter("sysparm_category")
        catalog = call.parameter("sysparm_catalog")
        rows = [
            row
            for row in self._records.find("sc_cat_item", active="true")
            if text in f"{row['name']} {row['short_description']}".lower()
            and (not catalog or catalog in row["sc_catalogs"].split(","))
            and category in ("", row["category"])
        ]
        limit = number(call.parameter("sysparm_limit"), 10)
        offset = number(call.parameter("sysparm_offset"), 0)
        return json_reply({"result": [self._item(row) for row in rows[offset : offset + limit]]})

    def _item(self, row: Row) -> dict[str, object]:
        category = self._records.read("sc_category", row["category"])
        return {
            "sys_id": row["sys_id"],
            "name": row["name"],
            "short_description": row["short_description"],
            "description": row["description"],
            "sys_class_name": row["sys_class_name"],
            "type": "record_producer" if "producer" in row["sys_class_name"] else "catalog_item",
            "category": {"sys_id": row["category"], "title": category["title"] if category else ""},
            "price": f"${float(row['price'] or 0):,.2f}",
            "show_price": bool(row["price"]),
            "show_quantity": row["no_quantity"] != "true",
            "order": int(row["order"] or 0),
            "variables": self._variables(row),
        }

    def _questions(self, row: Row) -> list[Row]:
        found = self._records.find("item_option_new", cat_item=row["sys_id"], active="true")
        return sorted(found, key=lambda one: int(one["order"] or 0))

    def _variables(self, row: Row) -> list[dict[str, object]]:
        shown: list[dict[str, object]] = []
        for one in self._questions(row):
            choices = self._records.find("question_choice", question=one["sys_id"])
            column = self._instance.schema.tables["item_option_new"].columns["type"]
            shown.append(
                {
                    "id": one["sys_id"],
                    "name": one["name"],
                    "label": one["question_text"],
                    "type": int(one["type"] or 0),
                    "friendly_type": column.choices.get(one["type"], one["type"]),
                    "mandatory": one["mandatory"] == "true",
                    "value": one["default_value"],
                    "reference": one["reference"],
                    "help_text": one["help_text"],
                    "read_only": one["read_only"] == "true",
                    "choices": [
                        {"label": choice["text"], "value": choice["value"], "index": index}
                        for index, choice in enumerate(choices)
                    ],
                }
            )
        return shown

    def _given(self, call: Call, row: Row) -> tuple[dict[str, object], dict[str, str]]:
        body = object_body(call)
        raw = body.get("variables") or {}
        if not isinstance(raw, dict):
            raise ApiError(400, "Invalid variables", "variables must be an object")
        given = {str(name): text_of(value) for name, value in raw.items()}
        missing = [
            one["question_text"]
            for one in self._questions(row)
            if one["mandatory"] == "true" and not (given.get(one["name"]) or one["default_value"])
        ]
        if missing:
            raise ApiError(400, "Mandatory Variables are required", ", ".join(missing))
        return body, given

    def _order_now(self, call: Call, sys_id: str) -> Reply:
        row = self._active(sys_id)
        body, given = self._given(call, row)
        quantity = text_of(body.get("sysparm_quantity"))
        if not quantity.isdecimal() or not 1 <= int(quantity) <= _MOST:
            raise ApiError(400, "Invalid Quantity value", None)
        request = self._request(call, self._wanted_for(call, body))
        self._place(call, request, row, int(quantity), given)
        return json_reply({"result": self._placed(request, body)})

    def _wanted_for(self, call: Call, body: Mapping[str, object]) -> str:
        """Return whom an order is for: by sys_id or by name, the caller where nobody is meant."""
        wanted = text_of(body.get("sysparm_requested_for"))
        if self._records.read("sys_user", wanted) is not None:
            return wanted
        return self._records.lookup("sys_user", wanted) or call.actor.sys_id

    def _placed(self, request: Row, body: Mapping[str, object]) -> dict[str, object]:
        result: dict[str, object] = {
            "sys_id": request["sys_id"],
            "number": request["number"],
            "request_number": request["number"],
            "request_id": request["sys_id"],
            "parent_id": text_of(body.get("sysparm_parent_id")) or None,
            "parent_table": text_of(body.get("sysparm_parent_table")) or None,
            "table": "sc_request",
        }
        return result

    def _request(self, call: Call, wanted_for: str) -> Row:
        return self._records.insert(
            "sc_request",
            {
                "requested_for": wanted_for,
                "opened_by": call.actor.sys_id,
                "request_state": "in_process",
                "approval": "approved",
                "contact_type": "self-service",
            },
            call.actor,
        )

    def _place(
        self, call: Call, request: Row, row: Row, quantity: int, given: Mapping[str, str]
    ) -> Row:
        item = self._records.insert(
            "sc_req_item",
            {
                "request": request["sys_id"],
                "requested_for": request["requested_for"],
                "parent": request["sys_id"],
                "cat_item": row["sys_id"],
                "sc_catalog": row["sc_catalogs"].split(",")[0],
                "quantity": str(quantity),
                "price": row["price"],
                "short_description": row["short_description"] or row["name"],
                "opened_by": call.actor.sys_id,
                "assignment_group": row["group"],
                "contact_type": "self-service",
            },
            call.actor,
        )
        for question in self._questions(row):
            value = given.get(question["name"], question["default_value"])
            option = self._records.insert(
                "sc_item_option",
                {
                    "item_option_new": question["sys_id"],
                    "value": value,
                    "order": question["order"],
                },
                call.actor,
            )
            link = {"request_item": item["sys_id"], "sc_item_option": option["sys_id"]}
            self._records.insert("sc_item_option_mtom", link, call.actor)
        self._records.later("sc_req_item:start", item["sys_id"])
        return item

    def _submit(self, call: Call, sys_id: str) -> Reply:
        row = self._active(sys_id)
        if row["sys_class_name"] != "sc_cat_item_producer":
            raise ApiError(400, "Item is not a record producer", None)
        _, given = self._given(call, row)
        table = row["table_name"]
        # A producer's script is its template here: `column=value` joined by `^`, ${name} filled in.
        values: dict[str, str] = {"contact_type": "self-service"}
        for part in row["script"].split("^"):
            name, separator, value = part.partition("=")
            if separator:
                for variable, text in given.items():
                    value = value.replace(f"${{{variable}}}", text)
                values[name] = value
        try:
            made = self._records.insert(table, values, call.actor)
        except AbortedError as error:
            raise ApiError(403, "Operation Failed", error.detail) from error
        return json_reply(
            {
                "result": {
                    "sys_id": made["sys_id"],
                    "number": made.get("number", ""),
                    "parent_id": None,
                    "record": f"{call.base}/api/now/table/{table}/{made['sys_id']}",
                    "redirect_to": "catalog_home",
                    "redirect_portal_url": f"?id=ticket&table={table}&sys_id={made['sys_id']}",
                    "redirect_url": f"{table}.do?sys_id={made['sys_id']}",
                    "table": table,
                }
            }
        )

    # --- the cart

    def _open_cart(self, call: Call) -> Row:
        found = self._records.find("sc_cart", user=call.actor.sys_id, active="true")
        values = {"user": call.actor.sys_id, "name": "DEFAULT"}
        return found[0] if found else self._records.insert("sc_cart", values, call.actor)

    def _cart(self, call: Call) -> dict[str, object]:
        cart = self._open_cart(call)
        lines = self._records.find("sc_cart_item", cart=cart["sys_id"])
        shown = [
            {
                "cart_item_id": line["sys_id"],
                "catalog_item_id": line["cat_item"],
                "item_name": self._row("sc_cat_item", line["cat_item"])["name"],
                "quantity": line["quantity"],
            }
            for line in lines
        ]
        return {"cart_id": cart["sys_id"], "items": shown, "subtotal_price": "$0.00"}

    def _add(self, call: Call, sys_id: str) -> Reply:
        row = self._active(sys_id)
        body, given = self._given(call, row)
        cart = self._open_cart(call)
        if body.get("sysparm_requested_for"):
            wanted = {"requested_for": self._wanted_for(call, body)}
            self._records.update("sc_cart", cart["sys_id"], wanted, call.actor)
        pairs = "\x1e".join(f"{name}\x1f{value}" for name, value in given.items())
        quantity = str(number(text_of(body.get("sysparm_quantity")), 1))
        self._records.insert(
            "sc_cart_item",
            {
                "cart": cart["sys_id"],
                "cat_item": row["sys_id"],
                "quantity": quantity,
                "variables": pairs,
            },
            call.actor,
        )
        return json_reply({"result": self._cart(call)})

    def _checkout(self, call: Call, _sys_id: str) -> Reply:
        cart = self._open_cart(call)
        lines = self._records.find("sc_cart_item", cart=cart["sys_id"])
        if not lines:
            raise ApiError(400, "Cart is empty", None)
        request = self._request(call, cart["requested_for"] or call.actor.sys_id)
        for line in lines:
            given: dict[str, str] = {}
            for pair in line["variables"].split("\x1e"):
                name, separator, value = pair.partition("\x1f")
                if separator:
                    given[name] = value
            row = self._active(line["cat_item"])
            self._place(call, request, row, int(line["quantity"] or 1), given)
        self._records.update("sc_cart", cart["sys_id"], {"active": "false"})
        return json_reply({"result": self._placed(request, {})})

    def _empty(self, call: Call, sys_id: str) -> Reply:
        cart = self._records.read("sc_cart", sys_id)
        if cart is None or cart["user"] != call.actor.sys_id:
            raise no_record()
        for line in self._records.find("sc_cart_item", cart=sys_id):
            self._records.delete("sc_cart_item", line["sys_id"])
        return Reply(status=204)


def _brief(row: Row, name: str) -> dict[str, object]:
    return {
        "sys_id": row["sys_id"],
        "title": row[name],
        "description": row["description"],
        "has_categories": True,
    }
