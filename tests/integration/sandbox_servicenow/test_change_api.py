"""The Change Management, catalog, knowledge and attachment APIs."""

import json
from typing import Any

import pytest

from tests.integration.sandbox_servicenow.conftest import Api

CHANGE = "/api/sn_chg_rest/v1/change"
TEMPLATE = "16c2273c47010200e90d87e8dee49006"
SERVER = "53fdbd6437201000deeabfc8bcbe5d0f"
RESET = "29a39e830a0a0b27007d1e200ad52253"
ABEL = "62826bf03710200044e0bfc8bcbe5df1"


def patch(api: Api, path: str, body: object, status: int = 200) -> dict[str, Any]:
    answer = api.session.patch(f"{api.url}{path}", json=body, timeout=10)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def opened(api: Api, **values: str) -> str:
    body = {"short_description": "typed", "assignment_group": "Software", **values}
    number: str = api.post(f"{CHANGE}/normal", body, 200)["result"]["sys_id"]["value"]
    return number


def test_values_are_typed_and_unknown_fields_listed(daemon: Api) -> None:
    body = {"short_description": "typed", "no_such_field": "x", "on_hold": False}
    result = daemon.post(f"{CHANGE}/normal?assignment_group=Software", body, 200)["result"]
    assert result["state"] == {"display_value": "New", "value": -5.0}
    assert result["active"] == {"display_value": "true", "value": True}
    assert result["sys_mod_count"]["value"] == 0.0
    assert result["sys_updated_on"]["display_value_internal"]
    assert result["assignment_group"]["display_value"] == "Software"
    assert result["__meta"] == {"ignoredFields": ["no_such_field"]}
    number = result["sys_id"]["value"]
    assert daemon.get(f"{CHANGE}/{number}").json()["result"]["type"]["value"] == "normal"
    daemon.get(f"{CHANGE}/emergency/{number}", 404)
    listed = daemon.get(CHANGE, sysparm_query=f"sys_id={number}", sysparm_limit=1).json()
    assert [one["sys_id"]["value"] for one in listed["result"]] == [number]


def test_an_illegal_move_is_a_400_here(daemon: Api) -> None:
    number = opened(daemon)
    error = patch(daemon, f"{CHANGE}/{number}", {"state": "-1"}, 400)["error"]
    assert error["detail"] == ""
    assert error["message"].startswith(
        "Change Request record could not be updated. Operation against file 'change_request' "
        "was aborted by Business Rule 'Change Model: Check State Transition^"
    )


def test_next_states_say_what_is_open_and_what_is_missing(daemon: Api) -> None:
    number = opened(daemon)
    found = daemon.get(f"{CHANGE}/{number}/nextstates").json()["result"]
    assert found["available_states"] == ["-4", "4", "-5"]
    assert found["state_label"]["-4"] == "Assess"
    bare = daemon.post(f"{CHANGE}/normal", {"short_description": "x"}, 200)["result"]
    found = daemon.get(f"{CHANGE}/{bare['sys_id']['value']}/nextstates").json()["result"]
    assert "-4" not in found["available_states"]
    (assess,) = found["state_transitions"][0]
    assert (assess["to_state"], assess["transition_available"]) == ("-4", False)
    assert assess["conditions"][0]["passed"] is False
    daemon.get(f"{CHANGE}/{'0' * 32}/nextstates", 404)


def test_answers_through_this_api_count_for_who_is_asked_only(
    daemon: Api, approver: Api, requester: Api
) -> None:
    number = opened(daemon)
    patch(daemon, f"{CHANGE}/{number}", {"state": "-4"})
    path = f"{CHANGE}/{number}/approvals"
    assert patch(daemon, path, {"state": "approved"}, 400)["error"]["message"]
    patch(requester, path, {"state": "approved"}, 400)
    patch(approver, path, {"state": "maybe"}, 400)
    patch(approver, path, {"state": "approved", "comments": "ok"})
    seen = daemon.get(f"{CHANGE}/{number}").json()["result"]
    assert (seen["state"]["value"], seen["approval"]["value"]) == (-2.0, "approved")


def test_a_standard_change_comes_from_its_template(daemon: Api) -> None:
    result = daemon.post(f"{CHANGE}/standard/{TEMPLATE}", {"description": "mine"}, 200)["result"]
    assert result["short_description"]["value"] == "Clear BGP sessions on a Cisco router"
    daemon.post(f"{CHANGE}/standard/{'0' * 32}", {}, 404)
    names = [one["name"]["value"] for one in
             daemon.get(f"{CHANGE}/standard/template").json()["result"]]  # fmt: skip
    assert "Clear BGP sessions on a Cisco router" in names
    daemon.get(f"{CHANGE}/standard/template/{TEMPLATE}")
    models = daemon.get(f"{CHANGE}/model").json()["result"]
    assert {one["name"]["value"] for one in models} == {"Normal", "Standard", "Emergency"}
    daemon.get(f"{CHANGE}/model/007c4001c343101035ae3f52c1d3aeb2")


def test_conflicts_are_found_between_changes_of_one_item(admin: Api, daemon: Api) -> None:
    """The item is no server, so that no maintenance window is asked for."""
    (item,) = admin.records("cmdb_ci_computer", "nameSTARTSWITHMacBook")
    item = item["sys_id"]
    span = {"start_date": "2027-02-03 10:00:00", "end_date": "2027-02-03 12:00:00"}
    first = opened(daemon, cmdb_ci=item, **span)
    second = opened(daemon, cmdb_ci=item, start_date="2027-02-03 11:00:00",
                    end_date="2027-02-03 13:00:00")  # fmt: skip
    daemon.post(f"{CHANGE}/{opened(daemon)}/conflict", {}, 400)
    assert len(daemon.post(f"{CHANGE}/{first}/conflict", {}, 200)["result"]) == 32
    found = daemon.get(f"{CHANGE}/{first}/conflict").json()["result"]
    assert (found["status"], found["record_count"]) == ("Conflict", "1")
    assert found["conflicts"][0]["conflicting_change"]["value"] == second
    patch(daemon, f"{CHANGE}/{first}/schedule/first_available", {}, 400)
    patch(daemon, f"{CHANGE}/{first}/schedule/first_available", {"duration_in_seconds": 60}, 202)
    slot = daemon.spans(f"{CHANGE}/{first}/schedule")[0]
    assert slot["start"]["value"] < slot["end"]["value"]
    daemon.post(f"{CHANGE}/{first}/conflict", {}, 200)
    assert daemon.get(f"{CHANGE}/{first}/conflict").json()["result"]["status"] == "No Conflict"
    answer = daemon.session.delete(f"{daemon.url}{CHANGE}/{first}/conflict", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    assert daemon.get(f"{CHANGE}/{first}/conflict").json()["result"]["status"] == "Not Run"


def test_tasks_and_items_hang_on_a_change(daemon: Api) -> None:
    number = opened(daemon)
    task = daemon.post(f"{CHANGE}/{number}/task", {"short_description": "t"}, 200)["result"]
    path = f"{CHANGE}/{number}/task/{task['sys_id']['value']}"
    assert patch(daemon, path, {"state": "2"})["result"]["state"]["value"] == 2.0
    assert len(daemon.get(f"{CHANGE}/{number}/task").json()["result"]) == 1
    dropped = daemon.session.delete(f"{daemon.url}{path}", timeout=10)
    assert dropped.status_code == 200
    assert dropped.json()["result"]["short_description"]["value"] == "t"
    daemon.get(path, 404)
    body = {"cmdb_ci_sys_ids": SERVER, "association_type": "affected"}
    daemon.worked(daemon.post(f"{CHANGE}/{number}/ci", body, 202))
    affected = daemon.get(f"{CHANGE}/{number}/ci", association_type="affected").json()["result"]
    assert [one["ci_item"]["display_value"] for one in affected] == ["PROD-DB-03"]
    daemon.post(f"{CHANGE}/{number}/ci", {"cmdb_ci_sys_ids": SERVER}, 400)


def test_roles_are_asked_for(requester: Api, daemon: Api) -> None:
    requester.get(CHANGE, 403)
    requester.post(f"{CHANGE}/normal", {}, 403)
    answer = daemon.session.delete(f"{daemon.url}{CHANGE}/{opened(daemon)}", timeout=10)
    assert answer.status_code == 403
    daemon.get(f"{CHANGE}/what/is/this", 400)


# --- the catalog


def order(api: Api, item: str, status: int = 200, **body: Any) -> dict[str, Any]:
    path = f"/api/sn_sc/v1/servicecatalog/items/{item}/order_now"
    return api.post(path, {"sysparm_quantity": 1, **body}, status)


def test_an_order_makes_request_item_variables_and_task(requester: Api, daemon: Api) -> None:
    result = order(requester, RESET, variables={"caller_id": ABEL})["result"]
    assert result["table"] == "sc_request"
    (item,) = daemon.records("sc_req_item", f"request={result['sys_id']}")
    assert (item["stage"], item["approval"], item["state"]) == ("fulfillment", "approved", "2")
    assert (item["sys_created_by"], item["requested_for"]) == ("abel.tuter", ABEL)
    found = daemon.records(
        "sc_item_option_mtom",
        f"request_item={item['sys_id']}",
        sysparm_fields="sc_item_option.item_option_new.name,sc_item_option.value",
    )
    assert found == [
        {"sc_item_option.item_option_new.name": "caller_id", "sc_item_option.value": ABEL}
    ]
    (task,) = daemon.records("sc_task", f"request_item={item['sys_id']}")
    daemon.change("sc_task", task["sys_id"], state="3")
    done = daemon.record("sc_req_item", item["sys_id"])
    assert (done["state"], done["stage"], done["active"]) == ("3", "complete", "false")
    request = daemon.record("sc_request", result["sys_id"])
    assert (request["state"], request["request_state"]) == ("3", "closed_complete")


def test_an_order_lacks_nothing(requester: Api) -> None:
    refusal = order(requester, RESET, 400)
    assert refusal["error"]["message"] == "Mandatory Variables are required"
    order(requester, RESET, 400, sysparm_quantity="many", variables={"caller_id": ABEL})
    refusal = order(requester, "0" * 32, 400)
    assert refusal["error"]["message"] == "Security constraints prevent ordering of Item"
    order(requester, RESET, 400, variables=[1])
    shown = requester.get(f"/api/sn_sc/servicecatalog/items/{RESET}").json()["result"]
    assert shown["variables"][0]["label"] == "Whose password needs to be reset?"
    found = requester.get("/api/sn_sc/servicecatalog/items", sysparm_text="ipad").json()
    assert [one["name"] for one in found["result"]] == ["Apple iPad 3"]


@pytest.mark.parametrize(("decision", "stage"), [("approved", "fulfillment"),
                                                 ("rejected", "Request Cancelled")])  # fmt: skip
def test_an_item_with_an_approval_waits_for_it(
    requester: Api, daemon: Api, approver: Api, decision: str, stage: str
) -> None:
    ipad = "04b7e94b4f7b4200086eeed18110c7fd"
    result = order(requester, ipad, variables={"color": "black"})["result"]
    (item,) = daemon.records("sc_req_item", f"request={result['sys_id']}")
    assert (item["approval"], item["stage"]) == ("requested", "waiting_for_approval")
    assert daemon.records("sc_task", f"request_item={item['sys_id']}") == []
    (row,) = approver.records("sysapproval_approver", f"sysapproval={item['sys_id']}")
    approver.change("sysapproval_approver", row["sys_id"], state=decision)
    after = daemon.record("sc_req_item", item["sys_id"])
    assert (after["approval"], after["stage"]) == (decision, stage)


def test_a_cart_is_filled_and_ordered(requester: Api, daemon: Api) -> None:
    path = "/api/sn_sc/servicecatalog"
    requester.post(f"{path}/cart/submit_order", {}, 400)
    body = {
        "sysparm_quantity": "2",
        "sysparm_requested_for": "abraham.lincoln",
        "variables": {"caller_id": ABEL},
    }
    cart = requester.post(f"{path}/items/{RESET}/add_to_cart", body, 200)["result"]
    assert cart["items"][0]["item_name"] == "Password Reset"
    made = requester.post(f"{path}/cart/submit_order", {}, 200)["result"]
    (item,) = daemon.records("sc_req_item", f"request={made['sys_id']}")
    assert item["quantity"] == "2"
    wanted = daemon.record("sc_request", made["sys_id"], sysparm_display_value="true")
    assert wanted["requested_for"] == "Abraham Lincoln"


def test_a_record_producer_makes_an_incident(requester: Api, daemon: Api) -> None:
    path = "/api/sn_sc/servicecatalog/items/3f1dd0320a0a0b99000a53f7604a2ef9/submit_producer"
    body = {"variables": {"short_description": "produced", "urgency": "2"}}
    made = requester.post(path, body, 200)["result"]
    record = daemon.record("incident", made["sys_id"])
    assert (record["short_description"], record["urgency"]) == ("produced", "2")
    assert record["contact_type"] == "self-service"


# --- knowledge and files


def test_knowledge_is_searched_and_read(requester: Api) -> None:
    path = "/api/sn_km_api/knowledge/articles"
    found = requester.get(path, query="reset password", fields="number,author").json()["result"]
    assert found["meta"]["count"] == 1
    article = found["articles"][0]
    assert article["title"] == "How to reset your password"
    assert article["id"].startswith("kb_knowledge:")
    assert article["fields"]["author"]["display_value"] == "Luke Wilson"
    assert "content" in requester.get(f"{path}/{article['number']}").json()["result"]
    assert requester.get(path, query="Not finished").json()["result"]["articles"] == []
    requester.get(f"{path}/KB0000014", 404)


def test_files_are_kept_whole(daemon: Api, requester: Api) -> None:
    number = daemon.create("incident", short_description="f")["sys_id"]
    where = {"table_name": "incident", "table_sys_id": number, "file_name": "a b.bin"}
    content = bytes(range(256)) * 100
    made = daemon.session.post(
        f"{daemon.url}/api/now/attachment/file",
        params=where,
        data=content,
        headers={"Content-Type": "image/png"},
        timeout=10,
    )
    assert made.status_code == 201
    assert made.headers["Location"].endswith("/file")
    file = daemon.session.get(made.headers["Location"], timeout=10)
    assert (file.content, file.headers["Content-Type"]) == (content, "image/png")
    assert json.loads(file.headers["X-Attachment-Metadata"])["size_bytes"] == "25600"
    form = daemon.session.post(
        f"{daemon.url}/api/now/attachment/upload",
        data={"table_name": "incident", "table_sys_id": number},
        files={"uploadFile": ("note.txt", b"hello", "text/plain")},
        timeout=10,
    )
    assert form.status_code == 201
    query = f"table_name=incident^table_sys_id={number}"
    listed = daemon.get("/api/now/attachment", sysparm_query=query).json()["result"]
    assert {one["file_name"] for one in listed} == {"a b.bin", "note.txt"}
    pairs = daemon.get("/api/now/attachment", table_name="incident", table_sys_id=number)
    assert pairs.json()["result"] == listed
    assert requester.get("/api/now/attachment", sysparm_query=query).json() == {"result": []}
    requester.get(f"/api/now/attachment/{listed[0]['sys_id']}/file", 404)
    path = f"{daemon.url}/api/now/attachment/{listed[0]['sys_id']}"
    assert daemon.session.delete(path, timeout=10).status_code == 204
    daemon.get(f"/api/now/attachment/{listed[0]['sys_id']}", 404)
    daemon.post("/api/now/attachment/file?table_name=incident", {}, 400)
    broken = daemon.session.post(
        f"{daemon.url}/api/now/attachment/upload",
        data=b"--x\r\nbroken",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=10,
    )
    assert broken.status_code == 400


def test_configuration_items_are_made_and_related(admin: Api, daemon: Api) -> None:
    path = "/api/now/cmdb/instance/cmdb_ci_linux_server"
    made = []
    for name in ("linux99", "linux100"):
        attributes = {"name": name, "firewall_status": "intranet"}
        body = {"attributes": attributes, "source": "ServiceNow"}
        made.append(admin.post(path, body)["result"]["attributes"]["sys_id"])
    body = {"attributes": {"cpu_name": "i5"}, "source": "ServiceNow"}
    changed = patch(admin, f"{path}/{made[0]}", body)
    assert changed["result"]["attributes"]["cpu_name"] == "i5"
    kind = daemon.records("cmdb_rel_type", "name=Depends on::Used by")[0]
    relation = {"inbound_relations": [{"target": made[1], "type": kind["sys_id"]}]}
    result = admin.post(f"{path}/{made[0]}/relation", relation, 200)["result"]
    assert [one["target"]["display_value"] for one in result["inbound_relations"]] == ["linux100"]
    number = result["inbound_relations"][0]["sys_id"]
    answer = admin.session.delete(f"{admin.url}{path}/{made[0]}/relation/{number}", timeout=10)
    assert answer.status_code == 204
    assert made[0] in [one["sys_id"] for one in daemon.get(path).json()["result"]]
    daemon.post(path, {"attributes": {"name": "x"}}, 403)
    admin.post(path, {"name": "x"}, 400)
    admin.get("/api/now/cmdb/instance/incident", 400)
