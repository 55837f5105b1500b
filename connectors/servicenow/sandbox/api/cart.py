"""The cart and the wish list of the Service Catalog API; both are kept as carts."""

from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.api.catalog_view import CatalogView, amount, kind_of, money
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.store import Row

_CART, _WISHES = "DEFAULT", "wish_list"
_MOST = 10_000
_PAIR, _BETWEEN = "\x1f", "\x1e"

Given = Callable[[Call, Row], dict[str, str]]
"""Reads the variables of an order and refuses it where a mandatory one is missing."""


class Cart:
    """What an account has put aside, and what it says about prices."""

    def __init__(self, instance: Instance, view: CatalogView, given: Given) -> None:
        self._instance = instance
        self._records = instance.records
        self._view = view
        self._given = given

    def open(self, call: Call, name: str = _CART) -> Row:
        """Return the account's cart; there always is one."""
        found = self._records.find("sc_cart", user=call.actor.sys_id, active="true", name=name)
        values = {"user": call.actor.sys_id, "name": name}
        return found[0] if found else self._records.insert("sc_cart", values, call.actor)

    def lines(self, cart: Row) -> list[tuple[Row, int, dict[str, str]]]:
        """Return the items of a cart with quantity and variables."""
        return [
            (self._view.item_row(line["cat_item"]), int(line["quantity"] or 1), variables(line))
            for line in self._records.find("sc_cart_item", cart=cart["sys_id"])
        ]

    def show(self, call: Call, _sys_id: str) -> Reply:
        """GET /cart."""
        return json_reply({"result": self._whole(call, self.open(call))})

    def add(self, call: Call, sys_id: str) -> Reply:
        """POST /items/{id}/add_to_cart."""
        row = self._view.item_row(sys_id)
        given = self._given(call, row)
        body = object_body(call)
        cart = self.open(call)
        wanted = self.wanted_for(call, body)
        if body.get("sysparm_requested_for"):
            self._records.update("sc_cart", cart["sys_id"], {"requested_for": wanted}, call.actor)
        self._put(call, cart, row, quantity(body), given)
        lines = self._records.find("sc_cart_item", cart=cart["sys_id"])
        subtotal = sum(self._line(call, line)[1] for line in lines)
        shown = [self._brief(call, line) for line in lines]
        return json_reply(
            {"result": {"cart_id": cart["sys_id"], "subtotal": money(subtotal), "items": shown}}
        )

    def _put(self, call: Call, cart: Row, row: Row, wanted: str, given: Mapping[str, str]) -> None:
        packed = _BETWEEN.join(f"{name}{_PAIR}{value}" for name, value in given.items())
        values = {
            "cart": cart["sys_id"], "cat_item": row["sys_id"], "quantity": wanted,
            "variables": packed,
        }  # fmt: skip
        self._records.insert("sc_cart_item", values, call.actor)

    def wanted_for(self, call: Call, body: Mapping[str, object]) -> str:
        """Return whom an order is for: by sys_id or by name, the caller where nobody is meant."""
        wanted = text_of(body.get("sysparm_requested_for"))
        if self._records.read("sys_user", wanted) is not None:
            return wanted
        return self._records.lookup("sys_user", wanted) or call.actor.sys_id

    def change(self, call: Call, sys_id: str) -> Reply:
        """PUT /cart/{cart_item_id}; the reference gives 201 to it."""
        line = self._own_line(call, sys_id)
        body = object_body(call)
        values = {"quantity": quantity(body)}
        if "variables" in body:
            given = self._given(call, self._view.item_row(line["cat_item"]))
            values["variables"] = _BETWEEN.join(f"{k}{_PAIR}{v}" for k, v in given.items())
        self._records.update("sc_cart_item", sys_id, values, call.actor)
        return json_reply({"result": self._whole(call, self.open(call))}, 201)

    def remove(self, call: Call, sys_id: str) -> Reply:
        """DELETE /cart/{cart_item_id}."""
        self._own_line(call, sys_id)
        self._records.delete("sc_cart_item", sys_id)
        return Reply(status=204)

    def _own_line(self, call: Call, sys_id: str) -> Row:
        line = self._records.read("sc_cart_item", sys_id)
        cart = self._records.read("sc_cart", line["cart"]) if line else None
        if line is None or cart is None or cart["user"] != call.actor.sys_id:
            raise ApiError(400, "Invalid cart item", sys_id)
        return line

    def empty(self, call: Call, sys_id: str) -> Reply:
        """DELETE /cart/{id}/empty: the cart goes with what lies in it."""
        cart = self._records.read("sc_cart", sys_id)
        if cart is None:
            raise ApiError(400, "Invalid cart", sys_id)
        if cart["user"] != call.actor.sys_id and not call.actor.has("catalog_admin"):
            raise ApiError(400, "Invalid cart", "The cart belongs to another user")
        for line in self._records.find("sc_cart_item", cart=sys_id):
            self._records.delete("sc_cart_item", line["sys_id"])
        self._records.delete("sc_cart", sys_id)
        return Reply(status=204)

    # --- the wish list

    def wish(self, call: Call, sys_id: str) -> Reply:
        """POST /items/{id}/add_to_wishlist; nothing is mandatory for a wish."""
        row = self._view.item_row(sys_id)
        body = object_body(call)
        wishes = self.open(call, _WISHES)
        given = body.get("variables")
        named = given if isinstance(given, Mapping) else {}
        values = {str(name): text_of(value) for name, value in named.items()}
        self._put(call, wishes, row, quantity(body, "1"), values)
        lines = self._records.find("sc_cart_item", cart=wishes["sys_id"])
        shown = [{**self._brief(call, line), "variables": self._answers(line)} for line in lines]
        return json_reply({"result": {"cart_id": wishes["sys_id"], "items": shown}})

    def wishes(self, call: Call, _sys_id: str) -> Reply:
        """GET /wishlist."""
        wishes = self.open(call, _WISHES)
        lines = self._records.find("sc_cart_item", cart=wishes["sys_id"])
        shown = [self._line(call, line)[0] for line in lines]
        return json_reply({"result": {"cart_id": wishes["sys_id"], "items": shown}})

    def one_wish(self, call: Call, sys_id: str) -> Reply:
        """GET /wishlist/{cart_item_id}."""
        return json_reply({"result": self._line(call, self._own_line(call, sys_id))[0]})

    # --- how they look

    def _whole(self, call: Call, cart: Row) -> dict[str, object]:
        lines = self._records.find("sc_cart_item", cart=cart["sys_id"])
        shown = [self._line(call, line) for line in lines]
        totals: dict[str, object] = {
            "subtotal_price": money(sum(price for _, price in shown)),
            "subtotal_recurring_frequency": "",
            "subtotal_recurring_price": money(0),
            "total_title": "Total",
            "show_subtotal_price": "true" if lines else "false",
            "subtotal_title": "Subtotal",
        }
        whole: dict[str, object] = {"cart_id": cart["sys_id"], **totals}
        if lines:
            items = [line for line, _ in shown]
            whole["none"] = {**totals, "frequency_label": None, "items": items}
        return whole

    def _brief(self, call: Call, line: Row) -> dict[str, object]:
        row = self._view.item_row(line["cat_item"])
        price = money(amount(row["price"]))
        recurring = money(amount(row["recurring_price"]))
        return {
            "catalog_item_id": row["sys_id"],
            "quantity": line["quantity"],
            "localized_price": price,
            "price": price,
            "recurring_frequency": None,
            "localized_recurring_price": recurring,
            "recurring_price": recurring,
            "item_name": row["name"],
            "cart_item_id": line["sys_id"],
            "delivery_time": self._delivery(call, row),
        }

    def _delivery(self, call: Call, row: Row) -> str:
        column = self._instance.schema.tables["sc_cat_item"].columns["delivery_time"]
        return self._instance.displays.display(column, row["delivery_time"], call.actor) or ""

    def _line(self, call: Call, line: Row) -> tuple[dict[str, object], float]:
        row = self._view.item_row(line["cat_item"])
        subtotal = amount(row["price"]) * int(line["quantity"] or 1)
        recurring = amount(row["recurring_price"]) * int(line["quantity"] or 1)
        shown = {
            **self._brief(call, line),
            "sys_id": line["sys_id"],
            "item_id": row["sys_id"],
            "name": row["name"],
            "short_description": row["short_description"],
            "sys_class_name": row["sys_class_name"],
            "picture": "",
            "order_guide": "",
            "variables": self._answers(line),
            "subtotal": subtotal,
            "subtotal_price": money(subtotal),
            "recurring_subtotal": recurring,
            "recurring_subtotal_price": money(recurring),
            "show_price": subtotal > 0,
            "show_quantity": row["no_quantity"] != "true",
            "show_recurring_price": recurring > 0,
            "created_by": line["sys_created_by"],
            "created_on": line["sys_created_on"],
            "updated_by": line["sys_updated_by"],
            "updated_on": line["sys_updated_on"],
            "type": kind_of(row),
        }
        return shown, subtotal

    def _answers(self, line: Row) -> dict[str, str]:
        """Return variables by the text of their question."""
        row = self._view.item_row(line["cat_item"])
        texts = {one["name"]: one["question_text"] for one in self._view.questions(row)}
        return {texts.get(name, name): value for name, value in variables(line).items()}


def variables(line: Row) -> dict[str, str]:
    """Return the variables of a cart's line by name."""
    pairs = (pair.partition(_PAIR) for pair in line["variables"].split(_BETWEEN))
    return {name: value for name, separator, value in pairs if separator}


def quantity(body: Mapping[str, object], default: str = "") -> str:
    """Return how many are wanted.

    Raises:
        ApiError: 400, also where nothing is said.
    """
    wanted = text_of(body.get("sysparm_quantity")) or default
    if not wanted.isdecimal() or not 1 <= int(wanted) <= _MOST:
        raise ApiError(400, "Invalid Quantity value", None)
    return str(int(wanted))
