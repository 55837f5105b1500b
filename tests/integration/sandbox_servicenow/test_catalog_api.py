"""The Service Catalog API as its reference has it: browsing, the cart, wishes, variables."""

from typing import Any

from tests.integration.sandbox_servicenow.conftest import Api, Record

SC = "/api/sn_sc/v1/servicecatalog"
CATALOG = "e0d08b13c3330100c8b837659bba8fb4"
IPAD = "04b7e94b4f7b4200086eeed18110c7fd"
RESET = "29a39e830a0a0b27007d1e200ad52253"
PRODUCER = "3f1dd0320a0a0b99000a53f7604a2ef9"
ABEL = "62826bf03710200044e0bfc8bcbe5df1"
ABSENT = "0" * 32


def result(api: Api, path: str, status: int = 200, **parameters: Any) -> Any:
    return api.get(f"{SC}/{path}", status, **parameters).json().get("result")


def put(api: Api, path: str, body: object, status: int) -> Any:
    answer = api.session.put(f"{api.url}{SC}/{path}", json=body, timeout=20)
    assert answer.status_code == status, answer.text
    return answer.json()["result"] if answer.content and status < 300 else None


def delete(api: Api, path: str, status: int) -> None:
    answer = api.session.delete(f"{api.url}{SC}/{path}", timeout=20)
    assert answer.status_code == status, answer.text


def fill(api: Api, quantity: object = "1") -> Record:
    body = {"sysparm_quantity": quantity, "variables": {"color": "black"}}
    found: Record = api.post(f"{SC}/items/{IPAD}/add_to_cart", body, 200)["result"]
    return found


def lines(cart: Record) -> list[Record]:
    found: list[Record] = cart.get("none", {"items": []})["items"]
    return found


def emptied(api: Api) -> None:
    delete(api, f"cart/{result(api, 'cart')['cart_id']}/empty", 204)


def test_catalogs_lead_to_categories_and_items(requester: Api) -> None:
    catalogs = result(requester, "catalogs")
    assert len(result(requester, "catalogs", sysparm_limit="1", sysparm_offset="1")) == 1
    (service,) = [one for one in catalogs if one["sys_id"] == CATALOG]
    assert (service["has_categories"], service["has_items"]) == (True, True)
    assert result(requester, "catalogs", sysparm_text="technical") != catalogs
    shown = result(requester, f"catalogs/{CATALOG}")
    assert set(shown["categories"][0]) == {"title", "sys_id", "description", "header_image"}
    categories = result(requester, f"catalogs/{CATALOG}/categories")
    assert len(result(requester, f"catalogs/{CATALOG}/categories", sysparm_offset="1")) == (
        len(categories) - 1
    )
    filled = next(one for one in categories if one["count"])
    found = result(requester, "items", sysparm_category=filled["sys_id"])
    assert len(found) == filled["count"]
    for path in ("catalogs/{}", "catalogs/{}/categories", "categories/{}", "items/{}"):
        result(requester, path.format(ABSENT), 400)


def test_a_category_shows_those_below_it(admin: Api) -> None:
    top = admin.create("sc_category", title="top", sc_catalog=CATALOG)["sys_id"]
    low = admin.create("sc_category", title="low", sc_catalog=CATALOG, parent=top)["sys_id"]
    (child,) = result(admin, f"categories/{top}")["child_categories"]
    assert (child["sys_id"], child["parent"], child["isParentCategory"]) == (low, top, False)
    tops = result(admin, f"catalogs/{CATALOG}/categories", sysparm_top_level_only="true")
    named = {one["sys_id"]: one["subcategories"] for one in tops}
    assert named[top] == [{"sys_id": low, "title": "low"}]
    assert low not in named


def test_items_come_all_at_once_and_show_a_price_where_they_have_one(requester: Api) -> None:
    found = result(requester, "items")
    assert len(found) > 10
    assert "variables" not in found[0]
    priced = [one["sys_id"] for one in found if one["show_price"]]
    assert IPAD in priced
    assert all(("price" in one) == one["show_price"] for one in found)
    shown = result(requester, f"items/{IPAD}")
    assert (shown["price"], shown["price_currency"]) == ("$600.00", "USD")
    assert shown["categories"][0]["category"]["title"] == shown["category"]["title"]
    assert shown["client_script"] == {"onChange": [], "onSubmit": [], "onLoad": []}
    producers = result(requester, "items", sysparm_type="Record Producer")
    assert {one["type"] for one in producers} == {"record_producer"}
    assert len(result(requester, "items", sysparm_type="whatever")) == len(found)


def test_an_item_is_found_by_the_name_that_the_platform_keeps(admin: Api) -> None:
    made = admin.create("sc_cat_item", name="Before")
    assert made["sys_name"] == "Before"
    admin.change("sc_cat_item", made["sys_id"], name="After")
    (found,) = admin.records("sc_cat_item", "sys_name=After")
    assert found["sys_id"] == made["sys_id"]
    assert admin.records("sc_cat_item", "sys_name=Developer Laptop (Mac)")


def test_a_cart_is_changed_line_by_line(requester: Api, agent: Api) -> None:
    emptied(requester)
    added = fill(requester)
    assert set(added) == {"cart_id", "subtotal", "items"}
    line = added["items"][0]["cart_item_id"]
    changed = put(requester, f"cart/{line}", {"sysparm_quantity": "2"}, 201)
    assert (changed["subtotal_price"], lines(changed)[0]["subtotal"]) == ("$1,200.00", 1200.0)
    assert lines(changed)[0]["variables"] == {"Choose the colour": "black"}
    again = put(
        requester, f"cart/{line}", {"sysparm_quantity": 3, "variables": {"color": "x"}}, 201
    )
    assert lines(again)[0]["variables"] == {"Choose the colour": "x"}
    for wrong in ({}, {"sysparm_quantity": -1}, {"sysparm_quantity": "many"}):
        put(requester, f"cart/{line}", wrong, 400)
        requester.post(f"{SC}/items/{IPAD}/add_to_cart", wrong, 400)
    put(agent, f"cart/{line}", {"sysparm_quantity": 1}, 400)
    delete(agent, f"cart/{line}", 400)
    fill(requester)
    delete(requester, f"cart/{line}", 204)
    assert [one["quantity"] for one in lines(result(requester, "cart"))] == ["1"]


def test_only_its_owner_and_the_catalog_admin_empty_a_cart(
    requester: Api, agent: Api, admin: Api
) -> None:
    cart = fill(requester)["cart_id"]
    delete(agent, f"cart/{cart}/empty", 400)
    delete(agent, f"cart/{ABSENT}/empty", 400)
    delete(admin, f"cart/{cart}/empty", 204)
    assert admin.records("sc_cart", f"sys_id={cart}") == []
    assert result(requester, "cart")["cart_id"] != cart


def test_a_wish_is_no_order(requester: Api, agent: Api) -> None:
    emptied(requester)
    wished = requester.post(f"{SC}/items/{RESET}/add_to_wishlist", {}, 200)["result"]
    (line,) = result(requester, "wishlist")["items"]
    assert line["cart_item_id"] == wished["items"][0]["cart_item_id"]
    assert result(requester, f"wishlist/{line['cart_item_id']}")["item_name"] == "Password Reset"
    result(agent, f"wishlist/{line['cart_item_id']}", 400)
    assert lines(result(requester, "cart")) == []
    requester.post(f"{SC}/cart/submit_order", {}, 400)


def test_where_an_order_goes_and_for_whom_it_may_be(requester: Api, admin: Api) -> None:
    place = admin.create(
        "cmn_location", name="HQ", street="1 Main St", city="Boston", state="MA", zip="02114",
        country="USA",
    )["sys_id"]  # fmt: skip
    somebody = admin.create("sys_user", user_name="placed", location=place)["sys_id"]
    assert result(requester, f"cart/delivery_address/{somebody}") == (
        "1 Main St\nBoston, MA 02114\nUSA"
    )
    result(requester, f"cart/delivery_address/{ABSENT}", 400)
    assert result(requester, f"items/{IPAD}/delegation/{ABEL}") == {"result": True}
    assert result(requester, f"items/{IPAD}/delegation/{ABSENT}") == {"result": False}
    path = f"{SC}/items/{IPAD}/get_invalid_delegated_users"
    body = {"sysparm_also_request_for": ABEL}
    assert requester.post(path, body, 400)["result"]["errCode"] == "42202"
    admin.create("item_option_new", cat_item=IPAD, name="for", question_text="For", type="31")
    gone = admin.create("sys_user", user_name="gone", name="Gone", active="false")["sys_id"]
    body = {"sysparm_also_request_for": f"{ABEL},{gone}"}
    names = requester.post(path, body, 200)["result"]["invalidUsers"]
    assert len(names) == 1


def test_a_variable_shows_what_its_value_stands_for(requester: Api, admin: Api) -> None:
    (question,) = admin.records("item_option_new", f"cat_item={RESET}")
    path = f"{SC}/variables/{question['sys_id']}/display_value"
    assert requester.post(path, {"sysparm_value": ABEL}, 200)["result"] == "Abel Tuter"
    (colour,) = admin.records("item_option_new", f"cat_item={IPAD}^name=color")
    admin.create("question_choice", question=colour["sys_id"], text="Jet black", value="jet")
    path = f"{SC}/variables/{colour['sys_id']}/display_value"
    assert requester.post(path, {"sysparm_value": "jet"}, 200)["result"] == "Jet black"
    assert requester.post(path, {"sysparm_value": "red"}, 200)["result"] == "red"
    requester.post(f"{SC}/variables/{ABSENT}/display_value", {}, 404)


def test_variables_of_a_record_are_written_by_who_may_write_the_record(
    requester: Api, agent: Api
) -> None:
    """The body is flat; names that are none are passed over without a word."""
    body = {"sysparm_quantity": 1, "variables": {"caller_id": ABEL}}
    order = requester.post(f"{SC}/items/{RESET}/order_now", body, 200)["result"]["sys_id"]
    (item,) = agent.records("sc_req_item", f"request={order}")
    path = f"variables/sc_req_item/{item['sys_id']}"
    put(requester, path, {"caller_id": "x"}, 404)
    put(agent, f"variables/sc_req_item/{ABSENT}", {}, 404)
    put(agent, f"variables/no_such_table/{ABSENT}", {}, 404)
    put(agent, path, {"caller_id": "changed", "Caller_id": "no"}, 200)
    found = agent.records(
        "sc_item_option_mtom", f"request_item={item['sys_id']}",
        sysparm_fields="sc_item_option.value",
    )  # fmt: skip
    assert found == [{"sc_item_option.value": "changed"}]


def test_a_producer_keeps_its_answers_and_tells_a_relative_address(
    requester: Api, agent: Api
) -> None:
    body = {"variables": {"short_description": "produced", "urgency": "2"}}
    made = requester.post(f"{SC}/items/{PRODUCER}/submit_producer", body, 200)["result"]
    assert made["record"] == f"api/now/table/incident/{made['sys_id']}"
    assert made["parent_table"] == "task"
    put(agent, f"variables/incident/{made['sys_id']}", {"short_description": "reworded"}, 200)
    answers = agent.records("question_answer", f"table_sys_id={made['sys_id']}")
    assert "reworded" in [one["value"] for one in answers]
    requester.post(f"{SC}/items/{RESET}/submit_producer", body, 400)
