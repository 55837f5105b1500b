"""Knowledge, mail, metadata, statistics and CMDB as reference and measured instances have them."""

from typing import Any

import pytest

from tests.integration.sandbox_servicenow.conftest import Api, Record

ARTICLES = "/api/sn_km_api/knowledge/articles"
MAIL = "/api/now/v1/email"
LINUX = "/api/now/cmdb/instance/cmdb_ci_linux_server"
STATS = "/api/now/stats/incident"


def result(api: Api, path: str, status: int = 200, **parameters: Any) -> Any:
    return api.get(path, status, **parameters).json().get("result")


# --- knowledge


def test_articles_are_narrowed_by_base_and_language(requester: Api, admin: Api) -> None:
    base = admin.create("kb_knowledge_base", title="French")["sys_id"]
    admin.create(
        "kb_knowledge", short_description="Mot de passe", kb_knowledge_base=base, language="fr",
        workflow_state="published",
    )  # fmt: skip
    assert result(requester, ARTICLES, kb=base)["articles"] == []
    assert len(result(requester, ARTICLES, kb=base, language="fr,de")["articles"]) == 1
    both = result(requester, ARTICLES, language="all")["meta"]["count"]
    assert both == result(requester, ARTICLES)["meta"]["count"] + 1
    meta = result(requester, f"{ARTICLES}?fields=number&fields=author,text")["meta"]
    assert meta["fields"] == "number,author,text"


def test_views_are_counted_and_lead_the_list(requester: Api) -> None:
    first = result(requester, ARTICLES)["articles"][-1]
    path = f"{ARTICLES}/{first['number']}"
    result(requester, path)
    result(requester, path, search_id="x")
    assert result(requester, f"{ARTICLES}/most_viewed")["articles"] == []
    result(requester, path, update_view="false")
    result(requester, path, search_id="x", search_rank="1")
    (viewed,) = result(requester, f"{ARTICLES}/most_viewed")["articles"]
    assert (viewed["number"], viewed["score"]) == (first["number"], 2)


def test_featured_articles_are_those_of_the_first_page(requester: Api, admin: Api) -> None:
    empty = result(requester, f"{ARTICLES}/featured")
    assert (empty["meta"]["query"], empty["articles"]) == ("homepage", [])
    (one,) = admin.records("kb_knowledge", "number=KB0000012")
    admin.change("kb_knowledge", one["sys_id"], meta="vpn,homepage")
    (found,) = result(requester, f"{ARTICLES}/featured", fields="number")["articles"]
    assert (found["score"], found["fields"]["number"]["value"]) == (-1, "KB0000012")


def test_a_file_at_an_article_is_read_through_the_article(requester: Api, admin: Api) -> None:
    one, other = admin.records("kb_knowledge", "workflow_state=published", sysparm_limit="2")
    answer = admin.session.post(
        f"{admin.url}/api/now/attachment/file", data=b"steps", timeout=20,
        params={"table_name": "kb_knowledge", "table_sys_id": one["sys_id"], "file_name": "a.txt"},
        headers={"Content-Type": "text/plain"},
    )  # fmt: skip
    file = answer.json()["result"]["sys_id"]
    shown = result(requester, f"{ARTICLES}/{one['sys_id']}", fields="number")
    assert shown["attachments"][0] == {
        "sys_id": file, "file_name": "a.txt", "size_bytes": "5", "state": "available_conditionally",
    }  # fmt: skip
    assert (shown["display_attachments"], shown["embedded_content"]) == (True, [])
    assert shown["fields"]["number"]["value"] == one["number"]
    got = requester.get(f"{ARTICLES}/{one['sys_id']}/attachments/{file}")
    assert (got.content, got.headers["Content-Type"]) == (b"steps", "text/plain")
    requester.get(f"{ARTICLES}/{other['sys_id']}/attachments/{file}", 404)
    requester.get(f"{ARTICLES}/{one['sys_id']}/nothing", 400)


# --- mail


def test_a_mail_waits_to_be_sent_and_is_read_by_its_sender(admin: Api, agent: Api) -> None:
    body = {
        "to": ["User1 <user1@example.com>", "user2@example.com"], "bcc": ["b@example.com"],
        "subject": "Hello", "html": "<b>t</b>", "text": "t", "headers": {"X-Custom": "header"},
    }  # fmt: skip
    sent = admin.post(MAIL, body, 200)["result"]
    assert sent["links"][0] == {"rel": "self", "href": f"/now/v1/email/{sent['id']}"}
    read = result(admin, f"{MAIL}/{sent['id']}")
    assert (read["to"], read["cc"], read["headers"]) == (body["to"], [""], body["headers"])
    assert (read["type"], read["state"], read["html"]) == ("send-ready", "ready", "<b>t</b>")
    status = result(admin, f"{MAIL}/{sent['id']}", sysparm_fields="id,type,state,error")
    assert status == {"id": sent["id"], "type": "send-ready", "state": "ready", "error": ""}
    agent.get(f"{MAIL}/{sent['id']}", 403)
    agent.post(MAIL, body, 403)
    admin.get(f"{MAIL}/{'0' * 32}", 403)


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "to nobody"},
        {"to": ["a@example.com"] * 101},
        {"to": ["a@example.com"], "table_name": "incident"},
        {"to": ["a@example.com"], "table_name": "no_such", "table_record_id": "x"},
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused(admin: Api, body: Record) -> None:
    admin.post(MAIL, body, 400)
    assert admin.session.delete(f"{admin.url}{MAIL}/x", timeout=20).status_code == 405


# --- what an instance says of itself


def test_the_caller_is_told_who_it_is(requester: Api) -> None:
    found = result(requester, "/api/now/ui/user/current_user")
    assert (found["user_name"], found["user_display_name"]) == ("abel.tuter", "Abel Tuter")
    assert found["user_initials"] == "AT"


def test_columns_come_with_their_choices_and_what_the_caller_may_do(
    requester: Api, admin: Api
) -> None:
    columns = result(admin, "/api/now/ui/meta/incident")["columns"]
    assert {"label": "New", "value": "1"} in columns["state"]["choices"]
    assert (columns["state"]["type"], columns["impact"]["default"]) == ("choice", "3")
    assert (columns["caller_id"]["reference"], columns["number"]["label"]) == ("sys_user", "Number")
    seen = result(requester, "/api/now/ui/meta/incident")["columns"]
    assert (seen["state"]["read_only"], seen["short_description"]["read_only"]) == (True, False)
    requester.get("/api/now/ui/meta/no_such", 400)
    requester.get("/api/now/ui/meta/sys_db_object", 403)
    named = {one["value"]: one["label"] for one in result(admin, "/api/now/doc/table/schema")}
    assert named["incident"] == "Incident"


def test_a_class_of_items_knows_its_family(agent: Api, requester: Api) -> None:
    path = "/api/now/cmdb/meta"
    found = result(agent, f"{path}/cmdb_ci_computer")
    assert (found["parent"], found["label"]) == ("cmdb_ci_hardware", "Computer")
    assert found["children"] == ["cmdb_ci_server"]
    attributes = {one["element"]: one for one in found["attributes"]}
    assert attributes["os"]["is_inherited"] == "false"
    assert attributes["name"]["is_inherited"] == "true"
    agent.get(f"{path}/incident", 404)
    requester.get(f"{path}/cmdb_ci", 403)
    assert agent.session.post(f"{agent.url}{path}/cmdb_ci", timeout=20).status_code == 405


def test_everybody_reads_the_own_preferences_only(admin: Api, requester: Api) -> None:
    for user in ("abel.tuter", "bob.miller", ""):
        admin.create("sys_user_preference", name="theme", value=user, user=user)
    (own,) = requester.records("sys_user_preference", "name=theme")
    assert own["value"] == "abel.tuter"


# --- statistics


def test_statistics_take_pairs_and_order_by_an_aggregate(admin: Api) -> None:
    for urgency in ("1", "1", "3"):
        admin.create("incident", short_description="counted", urgency=urgency, category="database")
    some = result(admin, STATS, sysparm_count="true", short_description="counted", urgency="High")
    assert some == {"stats": {"count": "0"}}
    some = result(admin, STATS, sysparm_count="true", short_description="counted", urgency="1")
    assert some == {"stats": {"count": "2"}}
    grouped: dict[str, Any] = {"sysparm_group_by": "category", "sysparm_count": "true"}
    grouped |= {"sysparm_avg_fields": "urgency"}

    def averages(order: str) -> list[float]:
        rows = result(admin, STATS, sysparm_order_by=order, **grouped)
        return [float(one["stats"]["avg"]["urgency"]) for one in rows]

    assert averages("AVG^urgency") == sorted(averages(""))
    assert averages("AVG^urgency^DESC") == sorted(averages(""), reverse=True)
    assert len(averages("MEDIAN^urgency")) == len(averages(""))
    having = "count^category^>^2,avg^urgency^<^3"
    (row,) = result(admin, STATS, sysparm_having=having, category="database", **grouped)
    assert row["groupby_fields"][0]["value"] == "database"


# --- the CMDB


def test_an_item_is_written_with_a_source_and_texts_only(admin: Api) -> None:
    kind = admin.records("cmdb_rel_type", sysparm_limit="1")[0]["sys_id"]
    target = admin.create("cmdb_ci_linux_server", name="target")["sys_id"]
    body = {
        "attributes": {"name": "told", "ram": "16"}, "source": "Manual Entry",
        "outbound_relations": [{"type": kind, "target": target}],
    }  # fmt: skip
    made = admin.post(LINUX, body)["result"]
    assert made["attributes"]["discovery_source"] == "Manual Entry"
    (relation,) = made["outbound_relations"]
    assert set(relation["target"]) == set(relation["type"]) == {"display_value", "link", "value"}
    admin.get(relation["target"]["link"].removeprefix(admin.url))
    for source in ({}, {"source": "Nobody"}):
        refusal = admin.post(LINUX, {"attributes": {"name": "x"}, **source}, 400)
        assert "INVALID_INPUT_DATA" in refusal["error"]["detail"]
    own = f"{LINUX}/{made['attributes']['sys_id']}"
    number = {"attributes": {"ram": 8}, "source": "Manual Entry"}
    for path, wrong, message in (
        (own, {"ram": "8"}, '"attributes" is null'),
        (own, number, "java.lang.Integer cannot be cast"),
    ):
        answer = admin.session.patch(f"{admin.url}{path}", json=wrong, timeout=20)
        assert answer.status_code == 500
        assert message in answer.json()["error"]["message"]
    cleared = {"attributes": {"ram": None}, "source": "Manual Entry"}
    answer = admin.session.patch(f"{admin.url}{own}", json=cleared, timeout=20)
    assert answer.json()["result"]["attributes"]["ram"] == ""
