"""Dashboards: listed everywhere; on Cloud made, shared, copied and filled with gadgets."""

from typing import Any

import pytest

DASHBOARD = "/rest/api/3/dashboard"


@pytest.fixture
def admin(cloud: Any) -> Any:
    return cloud.as_("admin")


def _make(client: Any, name: str, **more: Any) -> str:
    body = {"name": name, "sharePermissions": [], "editPermissions": [], **more}
    number: str = client.post(DASHBOARD, body, 200)["id"]
    return number


def _gadget(client: Any, dashboard: str, **more: Any) -> Any:
    known = client.get(f"{DASHBOARD}/gadgets")["gadgets"]
    uri = next(one["uri"] for one in known if one["title"] == "Filter Results")
    return client.post(f"{DASHBOARD}/{dashboard}/gadget", {"uri": uri, **more}, 200)


def test_every_site_has_the_dashboard_that_nobody_made(desk: Any) -> None:
    admin = desk.as_("admin")
    page = admin.get("/rest/api/2/dashboard", startAt=0, maxResults=1)
    assert (page["startAt"], page["maxResults"]) == (0, 1)
    first = page["dashboards"][0]
    assert first["id"] == "10000"
    assert admin.get("/rest/api/2/dashboard/10000")["name"] == first["name"]
    assert admin.status("GET", "/rest/api/2/dashboard", params={"filter": "all"}) == 400
    assert admin.get("/rest/api/2/dashboard", filter="favourite")["dashboards"] == []
    missing = admin.send("GET", "/rest/api/2/dashboard/99999999")
    assert missing.status_code == 404
    assert missing.json()["errorMessages"] == ["The dashboard with id '99999999' does not exist."]


def test_what_is_shared_with_everybody_who_is_logged_in_reads_back_as_loggedin(
    admin: Any, cloud: Any
) -> None:
    number = _make(admin, "Shared board", sharePermissions=[{"type": "authenticated"}])
    assert int(number) > 10000
    shown = cloud.as_("agent").get(f"{DASHBOARD}/{number}")
    assert shown["sharePermissions"][0]["type"] == "loggedin"
    assert shown["isWritable"] is False
    changed = {"name": "Mine now", "sharePermissions": [], "editPermissions": []}
    assert cloud.as_("agent").status("PUT", f"{DASHBOARD}/{number}", json=changed) == 400


def test_a_dashboard_is_changed_found_and_removed(admin: Any) -> None:
    number = _make(admin, "Before", description="Old words")
    body = {"name": "After the change", "sharePermissions": [], "editPermissions": []}
    assert admin.put(f"{DASHBOARD}/{number}", body, 200)["name"] == "After the change"
    found = admin.get(f"{DASHBOARD}/search", dashboardName="after the")
    assert [one["id"] for one in found["values"]] == [number]
    mine = admin.get(DASHBOARD, filter="my", maxResults=1, startAt=0)
    assert mine["dashboards"][0]["isWritable"] is True
    if mine["total"] > 1:
        assert "startAt=1" in mine["next"]
        assert "startAt=0" in admin.get(DASHBOARD, filter="my", maxResults=1, startAt=1)["prev"]
    admin.delete(f"{DASHBOARD}/{number}")
    assert admin.status("GET", f"{DASHBOARD}/{number}") == 404
    assert admin.status("DELETE", f"{DASHBOARD}/10000") == 400
    assert admin.status("POST", DASHBOARD, json={"name": ""}) == 400


def test_gadgets_are_added_changed_and_taken_away(admin: Any) -> None:
    number = _make(admin, "Gadgets")
    made = _gadget(admin, number, color="blue")
    assert made["color"] == "blue"
    assert made["position"] == {"row": 0, "column": 0}
    assert _gadget(admin, number)["position"] == {"row": 1, "column": 0}
    path = f"{DASHBOARD}/{number}/gadget"
    admin.put(f"{path}/{made['id']}", {"color": "green", "title": "Mine"}, 204)
    admin.put(f"{path}/{made['id']}", {"position": {"row": 3, "column": 1}}, 204)
    shown = admin.get(path, gadgetId=made["id"])["gadgets"][0]
    assert (shown["color"], shown["title"], shown["position"]["column"]) == ("green", "Mine", 1)
    assert admin.status("PUT", f"{path}/{made['id']}", json={"color": "pink"}) == 400
    wrong = {"position": {"row": 0, "column": 9}}
    assert admin.status("PUT", f"{path}/{made['id']}", json=wrong) == 400
    admin.delete(f"{path}/{made['id']}")
    assert admin.status("DELETE", f"{path}/{made['id']}") == 404
    assert len(admin.get(path)["gadgets"]) == 1


def test_a_gadget_is_named_by_module_or_address_and_must_exist(admin: Any) -> None:
    number = _make(admin, "Named")
    path = f"{DASHBOARD}/{number}/gadget"
    module = admin.get(f"{DASHBOARD}/gadgets")["gadgets"][0]["moduleKey"]
    assert admin.post(path, {"moduleKey": module}, 200)["moduleKey"] == module
    assert admin.status("POST", path, json={"uri": "rest/nothing.xml"}) == 400
    made = admin.post(path, {"uri": "rest/own.xml", "ignoreUriAndModuleKeyValidation": True}, 200)
    assert made["uri"] == "rest/own.xml"
    assert admin.status("POST", path, json={}) == 400


def test_a_copy_has_the_gadgets_of_its_source(admin: Any) -> None:
    number = _make(admin, "Source")
    gadget = _gadget(admin, number, color="purple")
    body = {"name": "Copy", "sharePermissions": [], "editPermissions": []}
    copied = admin.post(f"{DASHBOARD}/{number}/copy", body, 200)["id"]
    (held,) = admin.get(f"{DASHBOARD}/{copied}/gadget")["gadgets"]
    assert (held["color"], held["uri"]) == ("purple", gadget["uri"])
    assert held["id"] != gadget["id"]


def test_a_gadget_keeps_properties(admin: Any) -> None:
    number = _make(admin, "Properties")
    gadget = _gadget(admin, number)
    where = f"{DASHBOARD}/{number}/items/{gadget['id']}/properties"
    assert admin.get(where)["keys"] == []
    assert admin.status("PUT", f"{where}/config", json={"num": 5}) == 201
    assert admin.status("PUT", f"{where}/config", json={"num": 10}) == 200
    assert admin.get(f"{where}/config")["value"] == {"num": 10}
    assert [one["key"] for one in admin.get(where)["keys"]] == ["config"]
    assert admin.status("PUT", f"{where}/config", data="{") == 400
    admin.delete(f"{where}/config")
    assert admin.status("DELETE", f"{where}/config") == 404
    assert admin.status("GET", f"{where}/config") == 404


def test_a_dashboard_shows_itself_anew_after_some_minutes(admin: Any) -> None:
    number = _make(admin, "Anew")
    path = f"/rest/internal/latest/dashboards/{number}/automatic-refresh-ms"
    assert admin.status("PUT", path, json={"automaticRefreshMs": 600000}) == 204
    assert admin.get(f"{DASHBOARD}/{number}")["automaticRefreshMs"] == 600000
    assert admin.status("PUT", path, json={"automaticRefreshMs": None}) == 204
    assert admin.get(f"{DASHBOARD}/{number}")["automaticRefreshMs"] == 0
    assert admin.status("PUT", path, json={"automaticRefreshMs": "often"}) == 400
