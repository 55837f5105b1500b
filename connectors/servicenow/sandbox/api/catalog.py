"""The Service Catalog API: /api/sn_sc[/v1]/servicecatalog/..."""

import re
from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.api.cart import Cart, quantity
from connectors.servicenow.sandbox.api.catalog_view import CatalogView, kind_of
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

_REQUESTED_FOR = "31"
_NOT_FOR_OTHERS = {
    "errCode": "42202",
    "errMsg": "This item cannot be submitted for multiple people as it is not configured with "
    "Requested For",
}


class CatalogApi:
    """Items with their variables, ordering at once, the cart, the wish list."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self._view = CatalogView(instance)
        self._cart = Cart(instance, self._view, self._given)
        view, cart = self._view, self._cart
        self._routes: tuple[tuple[str, str, Callable[[Call, str], Reply]], ...] = (
            ("GET", "items", view.items),
            ("GET", "items/(?P<id>[^/]+)", view.item),
            ("GET", "items/(?P<id>[^/]+)/variables", view.variables_of),
            ("GET", "items/(?P<id>[^/]+/delegation/[^/]+)", self._delegated),
            ("POST", "items/(?P<id>[^/]+)/get_invalid_delegated_users", self._not_delegated),
            ("POST", "items/(?P<id>[^/]+)/order_now", self._order_now),
            ("POST", "items/(?P<id>[^/]+)/submit_producer", self._submit),
            ("POST", "items/(?P<id>[^/]+)/add_to_cart", cart.add),
            ("POST", "items/(?P<id>[^/]+)/add_to_wishlist", cart.wish),
            ("POST", "variables/(?P<id>[^/]+)/display_value", self._display_value),
            ("PUT", "variables/(?P<id>[^/]+/[^/]+)", self._answer_again),
            ("GET", "cart", cart.show),
            ("GET", "cart/delivery_address/(?P<id>[^/]+)", self._address),
            ("POST", "cart/(?:checkout|submit_order)", self._checkout),
            ("PUT", "cart/(?P<id>[^/]+)", cart.change),
            ("DELETE", "cart/(?P<id>[^/]+)", cart.remove),
            ("DELETE", "cart/(?P<id>[^/]+)/empty", cart.empty),
            ("GET", "wishlist", cart.wishes),
            ("GET", "wishlist/(?P<id>[^/]+)", cart.one_wish),
            ("GET", "catalogs", view.catalogs),
            ("GET", "catalogs/(?P<id>[^/]+)", view.catalog),
            ("GET", "catalogs/(?P<id>[^/]+)/categories", view.categories),
            ("GET", "categories/(?P<id>[^/]+)", view.category),
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

    # --- who may have what

    def _user(self, sys_id: str) -> Row:
        row = self._records.read("sys_user", sys_id)
        if row is None:
            raise ApiError(400, "Invalid user", sys_id)
        return row

    def _address(self, _call: Call, sys_id: str) -> Reply:
        """GET /cart/delivery_address/{user}: the location of the user, line by line."""
        place = self._records.read("cmn_location", self._user(sys_id)["location"])
        lines: list[str] = []
        if place is not None:
            town = ", ".join(one for one in (place["city"], place["state"]) if one)
            listed = (place["street"], f"{town} {place['zip']}".strip(), place["country"])
            lines = [one for one in listed if one]
        return json_reply({"result": "\n".join(lines)})

    def _delegated(self, _call: Call, rest: str) -> Reply:
        """GET /items/{id}/delegation/{user}."""
        item, _, user = rest.partition("/delegation/")
        self._view.item_row(item)
        found = self._records.read("sys_user", user)
        return json_reply({"result": {"result": bool(found and found["active"] == "true")}})

    def _not_delegated(self, call: Call, sys_id: str) -> Reply:
        """POST /items/{id}/get_invalid_delegated_users."""
        questions = self._view.questions(self._view.item_row(sys_id))
        if not any(one["type"] == _REQUESTED_FOR for one in questions):
            return json_reply({"result": _NOT_FOR_OTHERS}, 400)
        listed = text_of(object_body(call).get("sysparm_also_request_for")).split(",")
        users = [self._user(one.strip()) for one in listed if one.strip()]
        names = [one["name"] for one in users if one["active"] != "true"]
        return json_reply({"result": {"invalidUsers": names}})

    # --- variables

    def _display_value(self, call: Call, sys_id: str) -> Reply:
        """POST /variables/{id}/display_value."""
        question = self._records.read("item_option_new", sys_id)
        if question is None:
            raise no_record()
        value = text_of(object_body(call).get("sysparm_value"))
        shown: str | None = None
        if question["reference"]:
            shown = self._instance.displays.name_of(question["reference"], value)
        choices = self._records.find("question_choice", question=sys_id, value=value)
        return json_reply({"result": choices[0]["text"] if choices else shown or value})

    def _answer_again(self, call: Call, rest: str) -> Reply:
        """PUT /variables/{table}/{id}: the body is a flat map, a name that is none is passed over.

        Who may write the record may write its variables; there is no other way for agents.
        """
        table_name, _, sys_id = rest.partition("/")
        table = self._instance.schema.get(table_name)
        row = self._records.read(table_name, sys_id) if table else None
        if (
            table is None
            or row is None
            or not self._instance.access.can_write(call.actor, table, row)
        ):
            raise no_record()
        given = {name: text_of(value) for name, value in object_body(call).items()}
        for link in self._records.find("sc_item_option_mtom", request_item=sys_id):
            option = self._records.read("sc_item_option", link["sc_item_option"])
            self._answer("sc_item_option", option, "item_option_new", given)
        for answer in self._records.find("question_answer", table_sys_id=sys_id):
            self._answer("question_answer", answer, "question", given)
        return Reply()

    def _answer(self, table: str, row: Row | None, column: str, given: Mapping[str, str]) -> None:
        question = self._records.read("item_option_new", row[column]) if row else None
        if row is not None and question is not None and question["name"] in given:
            self._records.update(table, row["sys_id"], {"value": given[question["name"]]})

    def _given(self, call: Call, row: Row) -> dict[str, str]:
        raw = object_body(call).get("variables") or {}
        if not isinstance(raw, dict):
            raise ApiError(400, "Invalid variables", "variables must be an object")
        given = {str(name): text_of(value) for name, value in raw.items()}
        missing = [
            one["question_text"]
            for one in self._view.questions(row)
            if one["mandatory"] == "true" and not (given.get(one["name"]) or one["default_value"])
        ]
        if missing:
            raise ApiError(400, "Mandatory Variables are required", ", ".join(missing))
        return given

    # --- orders

    def _order_now(self, call: Call, sys_id: str) -> Reply:
        row = self._view.item_row(sys_id)
        given = self._given(call, row)
        body = object_body(call)
        wanted = int(quantity(body))
        request = self._request(call, self._cart.wanted_for(call, body))
        self._place(call, request, row, wanted, given)
        return json_reply({"result": self._placed(request, body)})

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
        self, call: Call, request: Row, row: Row, wanted: int, given: Mapping[str, str]
    ) -> Row:
        item = self._records.insert(
            "sc_req_item",
            {
                "request": request["sys_id"],
                "requested_for": request["requested_for"],
                "parent": request["sys_id"],
                "cat_item": row["sys_id"],
                "sc_catalog": row["sc_catalogs"].split(",")[0],
                "quantity": str(wanted),
                "price": row["price"],
                "short_description": row["short_description"] or row["name"],
                "opened_by": call.actor.sys_id,
                "assignment_group": row["group"],
                "contact_type": "self-service",
            },
            call.actor,
        )
        for question in self._view.questions(row):
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
        row = self._view.item_row(sys_id)
        if row["sys_class_name"] != "sc_cat_item_producer":
            raise ApiError(400, "Item is not a record producer", kind_of(row))
        given = self._given(call, row)
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
        for question in self._view.questions(row):
            answer = {
                "table_name": table,
                "table_sys_id": made["sys_id"],
                "question": question["sys_id"],
                "value": given.get(question["name"], question["default_value"]),
                "order": question["order"],
            }
            self._records.insert("question_answer", answer, call.actor)
        return json_reply(
            {
                "result": {
                    "sys_id": made["sys_id"],
                    "number": made.get("number", ""),
                    "parent_id": None,
                    "parent_table": self._instance.schema.tables[table].parent or table,
                    "record": f"api/now/table/{table}/{made['sys_id']}",
                    "redirect_to": "",
                    "redirect_portal_url": "",
                    "redirect_url": f"{table}.do?sys_id={made['sys_id']}&sysparm_view=ess",
                    "table": table,
                }
            }
        )

    def _checkout(self, call: Call, _sys_id: str) -> Reply:
        cart = self._cart.open(call)
        lines = self._cart.lines(cart)
        if not lines:
            raise ApiError(400, "Cart is empty", None)
        request = self._request(call, cart["requested_for"] or call.actor.sys_id)
        for row, wanted, given in lines:
            self._place(call, request, row, wanted, given)
        self._records.update("sc_cart", cart["sys_id"], {"active": "false"})
        return json_reply({"result": self._placed(request, {})})
