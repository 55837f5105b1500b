"""How catalogs, categories, items and their variables look in the Service Catalog API."""

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.store import Row

_LIMIT = 10_000
_TYPES = {"record producer": "record_producer", "order guide": "order_guide"}
_CURRENCY = "USD"


def money(amount: float) -> str:
    """Return an amount as prices are shown."""
    return f"${amount:,.2f}"


def amount(text: str) -> float:
    """Return a kept price."""
    return float(text or 0)


def kind_of(row: Row) -> str:
    """Return what the API calls an item of this class."""
    if "producer" in row["sys_class_name"]:
        return "record_producer"
    return "order_guide" if "guide" in row["sys_class_name"] else "catalog_item"


class CatalogView:
    """Reads the catalog; every list takes `sysparm_limit` and `sysparm_offset`."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def _row(self, table: str, sys_id: str) -> Row:
        row = self._records.read(table, sys_id)
        if row is None or row["active"] != "true":
            raise ApiError(400, "Invalid sys_id", f"No readable {table} record: {sys_id}")
        return row

    def item_row(self, sys_id: str) -> Row:
        """Return an item that may be ordered.

        Raises:
            ApiError: 400, for an absent item and an inactive one alike.
        """
        row = self._records.read("sc_cat_item", sys_id)
        if row is None or row["active"] != "true":
            raise ApiError(400, "Security constraints prevent ordering of Item", None)
        return row

    # --- catalogs and categories

    def catalogs(self, call: Call, _sys_id: str) -> Reply:
        """GET /catalogs."""
        text = call.parameter("sysparm_text").lower()
        found = [
            row
            for row in self._records.find("sc_catalog", active="true")
            if text in row["title"].lower()
        ]
        return json_reply({"result": [self._catalog(row) for row in _page(call, found)]})

    def catalog(self, _call: Call, sys_id: str) -> Reply:
        """GET /catalogs/{id}."""
        row = self._row("sc_catalog", sys_id)
        categories = [
            {
                "sys_id": one["sys_id"],
                "title": one["title"],
                "description": one["description"] or None,
                "header_image": "",
            }
            for one in self._records.find("sc_category", sc_catalog=sys_id, active="true")
        ]
        return json_reply({"result": {**self._catalog(row), "categories": categories}})

    def _catalog(self, row: Row) -> dict[str, object]:
        number = row["sys_id"]
        return {
            "title": row["title"],
            "sys_id": number,
            "has_categories": bool(self._records.find("sc_category", sc_catalog=number)),
            "has_items": any(number in one["sc_catalogs"].split(",") for one in self._active()),
            "description": row["description"],
            "desktop_image": "",
        }

    def categories(self, call: Call, sys_id: str) -> Reply:
        """GET /catalogs/{id}/categories."""
        self._row("sc_catalog", sys_id)
        found = self._records.find("sc_category", sc_catalog=sys_id, active="true")
        if call.flag("sysparm_top_level_only"):
            found = [row for row in found if not row["parent"]]
        shown = [
            {
                **self._category(row),
                "count": self._count(row),
                "subcategories": [
                    {"sys_id": one["sys_id"], "title": one["title"]} for one in self._below(row)
                ],
            }
            for row in _page(call, found)
        ]
        return json_reply({"result": shown})

    def category(self, _call: Call, sys_id: str) -> Reply:
        """GET /categories/{id}."""
        row = self._row("sc_category", sys_id)
        children = [
            {
                "sys_id": one["sys_id"],
                "title": one["title"],
                "count": self._count(one),
                "parent": sys_id,
                "subcategories": [
                    {"sys_id": each["sys_id"], "title": each["title"]} for each in self._below(one)
                ],
                "isParentCategory": bool(self._below(one)),
            }
            for one in self._below(row)
        ]
        return json_reply({"result": {**self._category(row), "child_categories": children}})

    def _category(self, row: Row) -> dict[str, object]:
        return {
            "title": row["title"],
            "description": row["description"],
            "full_description": None,
            "icon": "",
            "header_icon": "",
            "homepage_image": "",
            "sys_id": row["sys_id"],
        }

    def _below(self, row: Row) -> list[Row]:
        return self._records.find("sc_category", parent=row["sys_id"], active="true")

    def _count(self, row: Row) -> int:
        return len(self._records.find("sc_cat_item", category=row["sys_id"], active="true"))

    # --- items

    def _active(self) -> list[Row]:
        return self._records.find("sc_cat_item", active="true")

    def items(self, call: Call, _sys_id: str) -> Reply:
        """GET /items; what `sysparm_type` does not know is passed over."""
        text = call.parameter("sysparm_text").strip('"').lower()
        category = call.parameter("sysparm_category")
        catalog = call.parameter("sysparm_catalog")
        kind = _TYPES.get(call.parameter("sysparm_type").lower(), "")
        found = [
            row
            for row in self._active()
            if text in f"{row['name']} {row['short_description']}".lower()
            and (not catalog or catalog in row["sc_catalogs"].split(","))
            and category in ("", row["category"])
            and kind in ("", kind_of(row))
        ]
        return json_reply({"result": [self._item(row) for row in _page(call, found)]})

    def item(self, _call: Call, sys_id: str) -> Reply:
        """GET /items/{id}."""
        row = self._row("sc_cat_item", sys_id)
        return json_reply(
            {
                "result": {
                    **self._item(row),
                    "categories": self._path(row),
                    "variables": self.variables(row),
                    "ui_policy": [],
                    "client_script": {"onChange": [], "onSubmit": [], "onLoad": []},
                    "data_lookup": [],
                }
            }
        )

    def variables_of(self, _call: Call, sys_id: str) -> Reply:
        """GET /items/{id}/variables."""
        return json_reply({"result": self.variables(self._row("sc_cat_item", sys_id))})

    def _item(self, row: Row) -> dict[str, object]:
        category = self._records.read("sc_category", row["category"])
        price = amount(row["price"])
        shown: dict[str, object] = {
            "short_description": row["short_description"],
            "kb_article": "",
            "icon": "",
            "description": row["description"],
            "show_price": price > 0,
            "type": kind_of(row),
            "show_quantity": row["no_quantity"] != "true",
            "sys_class_name": row["sys_class_name"],
            "picture": "",
            "url": "",
            "sys_id": row["sys_id"],
            "content_type": "",
            "catalogs": [
                {"sys_id": one["sys_id"], "title": one["title"]}
                for number in row["sc_catalogs"].split(",")
                if (one := self._records.read("sc_catalog", number)) is not None
            ],
            "name": row["name"],
            "category": {"sys_id": row["category"], "title": category["title"] if category else ""},
            "order": int(row["order"] or 0),
        }
        return shown | prices(row) if price else shown

    def _path(self, row: Row) -> list[dict[str, object]]:
        category = self._records.read("sc_category", row["category"])
        if category is None:
            return []
        parent = self._records.read("sc_category", category["parent"]) or category
        inner = {
            "sys_id": category["sys_id"],
            "active": category["active"] == "true",
            "title": category["title"],
        }
        return [
            {
                "sys_id": parent["sys_id"],
                "active": parent["active"] == "true",
                "category": inner,
                "title": parent["title"],
            }
        ]

    def questions(self, row: Row) -> list[Row]:
        """Return the variables of an item in the order of its form."""
        found = self._records.find("item_option_new", cat_item=row["sys_id"], active="true")
        return sorted(found, key=lambda one: int(one["order"] or 0))

    def variables(self, row: Row) -> list[dict[str, object]]:
        """Return the variables of an item as the API shows them."""
        shown: list[dict[str, object]] = []
        for one in self.questions(row):
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


def prices(row: Row) -> dict[str, object]:
    """Return what an item shows of its price; nothing recurs here at a frequency."""
    price, recurring = money(amount(row["price"])), money(amount(row["recurring_price"]))
    return {
        "price": price,
        "localized_price": price,
        "price_currency": _CURRENCY,
        "local_currency": _CURRENCY,
        "recurring_price": recurring,
        "localized_recurring_price": recurring,
        "recurring_price_currency": _CURRENCY,
        "recurring_frequency": None,
    }


def _page(call: Call, rows: list[Row]) -> list[Row]:
    offset = number(call.parameter("sysparm_offset"), 0)
    return rows[offset : offset + number(call.parameter("sysparm_limit"), _LIMIT)]
