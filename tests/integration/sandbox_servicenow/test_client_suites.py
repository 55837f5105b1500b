"""Facts that whole test-suites of public clients taught us, each in our own words."""

import base64
import json

import pytest
import requests

from tests.integration.sandbox_servicenow.conftest import Api

CMDB = "/api/now/cmdb/instance"
INCIDENT = "/api/now/table/incident"


def test_a_virtual_machine_has_its_cloud_columns_and_is_seen_through_its_parent(
    admin: Api,
) -> None:
    made = admin.create(
        "cmdb_ci_ec2_instance", name="vm-1", vm_inst_id=10, fqdn="f1.example.com",
        guest_os_fullname="OS1",
    )  # fmt: skip
    assert (made["vm_inst_id"], made["guest_os_fullname"]) == ("10", "OS1")
    (seen,) = admin.records("cmdb_ci", "name=vm-1")
    assert seen["sys_class_name"] == "cmdb_ci_ec2_instance"
    assert "vm_inst_id" not in seen
    assert admin.records("cmdb_ci_ec2_instance", "vm_inst_id=10^NQvm_inst_id=11")


@pytest.mark.parametrize("name", ["Cools::Cooled By", "Contains::Contained By", "cools::cooled by"])
def test_the_stock_relation_types_are_found_whatever_the_case(admin: Api, name: str) -> None:
    (one,) = admin.get("/api/now/table/cmdb_rel_type", name=name).json()["result"]
    assert one["name"].lower() == name.lower()


def test_instances_of_a_class_are_paged_without_a_total(admin: Api) -> None:
    """Only the Table API tells a total; a client reads on until a page is empty."""
    for number in range(3):
        body = {"attributes": {"name": f"paged-{number}"}, "source": "ServiceNow"}
        admin.post(f"{CMDB}/cmdb_ci_linux_server", body)
    path, query = f"{CMDB}/cmdb_ci_linux_server", "nameSTARTSWITHpaged-^ORDERBYname"
    first = admin.get(path, sysparm_query=query, sysparm_limit="2")
    assert [one["name"] for one in first.json()["result"]] == ["paged-0", "paged-1"]
    assert "X-Total-Count" not in first.headers
    rest = admin.get(path, sysparm_query=query, sysparm_limit="2", sysparm_offset="2")
    assert [one["name"] for one in rest.json()["result"]] == ["paged-2"]
    assert admin.get(path, sysparm_query=query, sysparm_offset="3").json()["result"] == []


def test_a_text_choice_is_kept_as_sent_and_a_number_choice_takes_its_label(admin: Api) -> None:
    """`fulfillment` is the label of another stage, and yet what was meant."""
    request = admin.create("sc_request", stage="fulfillment", request_state="draft")
    assert (request["stage"], request["request_state"]) == ("fulfillment", "draft")
    assert admin.create("incident", short_description="s", urgency="1 - High")["urgency"] == "1"
    shown = admin.post(
        "/api/now/table/sc_request", {"stage": "Completed"}, sysparm_input_display_value="true"
    )
    assert shown["result"]["stage"] == "closed_complete"


def test_a_problem_is_not_resolved_before_its_cause_was_looked_for(admin: Api) -> None:
    number = admin.create("problem", short_description="p", problem_state="102")["sys_id"]
    refused = admin.change("problem", number, 403, state="106", resolution_code="canceled")
    assert "aborted by Business Rule" in refused["error"]["detail"]
    closed = admin.change("problem", number, problem_state="107", resolution_code="canceled")
    assert (closed["state"], closed["problem_state"]) == ("107", "107")
    other = admin.create("problem", short_description="p", state="101")["sys_id"]
    admin.change("problem", other, state="103", cause_notes="cause")
    assert admin.change("problem", other, state="106", resolution_code="risk_accepted")


def test_a_problem_task_closes_with_its_own_code(admin: Api) -> None:
    task = admin.create("problem_task", problem_task_type="rca", short_description="t")
    assert task["state"] == "151"
    done = admin.change("problem_task", task["sys_id"], state="157", close_code="completed",
                        cause_notes="c")  # fmt: skip
    assert (done["state"], done["close_code"], done["active"]) == ("157", "completed", "false")


def test_a_table_name_of_eight_thousand_letters_is_invalid_and_a_longer_one_is_a_page(
    admin: Api,
) -> None:
    refused = admin.get(f"/api/now/table/{'A' * 8000}/x", 400)
    assert refused.json()["error"]["message"].startswith("Invalid table AAAA")
    page = admin.session.get(f"{admin.url}/api/now/table/{'A' * 23_000}", timeout=20)
    assert page.text.startswith("<")
    assert "html>" in page.text.splitlines()[0] + page.text.splitlines()[1]


def test_a_record_is_changed_through_its_parent_table_under_its_own_rules(admin: Api) -> None:
    number = admin.create("incident", short_description="s", caller_id="abel.tuter")["sys_id"]
    changed = admin.change("task", number, short_description="through the parent",
                           close_code="Duplicate", work_notes="note")  # fmt: skip
    assert changed["sys_class_name"] == "incident"
    assert "close_code" not in changed
    row = admin.record("incident", number)
    assert (row["short_description"], row["sys_mod_count"]) == ("through the parent", "1")
    assert row["close_code"] == ""
    (entry,) = admin.records("sys_journal_field", f"element_id={number}^element=work_notes")
    assert entry["name"] == "incident"
    lines = admin.records("sys_audit", f"documentkey={number}^fieldname=short_description")
    assert [one["tablename"] for one in lines] == ["incident"]
    refused = admin.change("task", number, 403, state="6")
    assert "Resolution code" in refused["error"]["detail"]


def test_a_cart_is_filled_looked_at_and_emptied(agent: Api) -> None:
    base = "/api/sn_sc/servicecatalog"
    (item,) = agent.records("sc_cat_item", "nameSTARTSWITHApple iPad^ORnameSTARTSWITHIpad")[:1]
    added = agent.post(f"{base}/items/{item['sys_id']}/add_to_cart", {"sysparm_quantity": 1}, 200)
    assert added["result"]["cart_id"]
    cart = agent.get(f"{base}/cart").json()["result"]
    assert cart["cart_id"] == added["result"]["cart_id"]
    answer = agent.session.delete(f"{agent.url}{base}/cart/{cart['cart_id']}/empty", timeout=20)
    assert answer.status_code == 204
    agent.post(f"{base}/cart/submit_order", {}, 400)


def test_a_batch_refuses_what_a_rule_aborts_and_carries_out_the_rest(admin: Api) -> None:
    rule = admin.create(
        "sys_script", name="no test strings", collection="problem", active="true", when="before",
        action_update="true", abort_action="true", filter_condition="short_descriptionLIKEEICAR^EQ",
    )  # fmt: skip
    made = [admin.create("problem", short_description=f"p{n}")["sys_id"] for n in range(2)]
    requests_ = [
        {
            "id": str(index),
            "method": "PATCH",
            "url": f"/api/now/table/problem/{number}",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "body": base64.b64encode(json.dumps({"short_description": text}).encode()).decode(),
        }
        for index, (number, text) in enumerate(zip(made, ("fine", "EICAR"), strict=True))
    ]
    body = {"batch_request_id": 7, "rest_requests": requests_}
    answer = admin.post("/api/now/v1/batch", body, 200)
    assert answer["batch_request_id"] == "7"
    codes = {one["id"]: one["status_code"] for one in answer["serviced_requests"]}
    assert codes == {"0": 200, "1": 403}
    admin.session.delete(f"{admin.url}/api/now/table/sys_script/{rule['sys_id']}", timeout=20)


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "refresh_token", "refresh_token": "bad-token"},
        {"grant_type": "password", "username": "admin", "password": "bad"},
        {"grant_type": "client_credentials", "client_secret": "bad"},
    ],
)
def test_every_wrong_token_request_is_the_same_401(admin: Api, form: dict[str, str]) -> None:
    good = {"client_id": "tiergate-client", "client_secret": "tiergate-client-pw"}
    answer = requests.post(f"{admin.url}/oauth_token.do", data={**good, **form}, timeout=20)
    assert answer.status_code == 401
    assert answer.json() == {"error": "server_error", "error_description": "access_denied"}


def test_the_table_of_a_number_is_found_by_its_prefix(daemon: Api, admin: Api) -> None:
    (one,) = admin.records("sys_number", "prefix=CHG")
    assert one["category"] == "change_request"
    daemon.get("/api/now/table/metric_definition", 403)
    assert admin.records("metric_definition") == []


def test_links_to_other_pages_carry_offset_and_limit_last(daemon: Api) -> None:
    answer = daemon.get(
        "/api/now/table/incident",
        sysparm_query="active=true",
        sysparm_limit="2",
        sysparm_offset="2",
    )
    first, *_, last = answer.headers["Link"].split(",<")
    assert first.endswith(
        'sysparm_query=active%3Dtrue&sysparm_offset=0&sysparm_limit=2>;rel="first"'
    )
    assert last.endswith('rel="last"')


def test_fields_named_as_encrypted_are_display_values(agent: Api) -> None:
    """An account without a zone of its own is in the zone of the instance."""
    body = {
        "short_description": "s", "type": "Emergency", "encrypted_fields": "type,start_date",
        "start_date": "2027-02-03 01:00:00",
    }  # fmt: skip
    made = agent.post("/api/sn_chg_rest/change", body, 200)["result"]
    assert made["__meta"] == {"ignoredFields": []}
    assert made["type"]["value"] == "emergency"
    assert made["start_date"]["value"] == "2027-02-03 09:00:00"
    plain = agent.post("/api/sn_chg_rest/change", {"start_date": "2027-02-03 01:00:00"}, 200)
    assert plain["result"]["start_date"]["value"] == "2027-02-03 01:00:00"
