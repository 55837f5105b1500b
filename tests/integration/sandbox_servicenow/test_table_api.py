"""The Table API as other people's clients see it."""

import pytest

from tests.integration.sandbox_servicenow.conftest import Api

ABEL = "62826bf03710200044e0bfc8bcbe5df1"
INCIDENT = "/api/now/table/incident"

TODAY = "ONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()"


def numbers(api: Api, query: str, table: str = "incident") -> list[str]:
    found = api.records(table, query, sysparm_fields="number")
    return [record["number"] for record in found]


def test_the_three_shapes_of_a_value(daemon: Api) -> None:
    query = "number=INC0000060"
    fields = "state,caller_id,assigned_to,active,opened_at,sla_due,hold_reason"
    plain = daemon.get(INCIDENT, sysparm_query=query, sysparm_fields=fields).json()["result"][0]
    assert (plain["state"], plain["active"], plain["assigned_to"]) == ("7", "false", "")
    assert set(plain["caller_id"]) == {"link", "value"}
    shown = daemon.get(
        INCIDENT, sysparm_query=query, sysparm_fields=fields, sysparm_display_value="True"
    ).json()["result"][0]
    assert (shown["state"], shown["caller_id"]["display_value"]) == ("Closed", "Joe Employee")
    assert set(shown["caller_id"]) == {"display_value", "link"}
    both = daemon.get(
        INCIDENT, sysparm_query=query, sysparm_fields=fields, sysparm_display_value="all"
    ).json()["result"][0]
    assert both["state"] == {"display_value": "Closed", "value": "7"}
    assert set(both["caller_id"]) == {"display_value", "link", "value"}
    assert both["sla_due"] == {"display_value": "UNKNOWN", "value": ""}
    assert both["hold_reason"] == {"display_value": None, "value": ""}
    bare = daemon.get(
        INCIDENT,
        sysparm_query=query,
        sysparm_fields="caller_id",
        sysparm_display_value="true",
        sysparm_exclude_reference_link="true",
    ).json()["result"][0]
    assert bare == {"caller_id": "Joe Employee"}


def test_full_rows_and_chosen_fields_tell_the_same(daemon: Api) -> None:
    full = daemon.get(INCIDENT, sysparm_query="ORDERBYnumber").json()["result"]
    names = ",".join(full[0])
    chosen = daemon.get(INCIDENT, sysparm_query="ORDERBYnumber", sysparm_fields=names)
    assert chosen.json()["result"] == full
    for version in ("v1", "v2"):
        path = f"/api/now/{version}/table/incident"
        rows = daemon.get(path, sysparm_query="ORDERBYnumber", sysparm_limit=1).json()["result"]
        assert f"/api/now/{version}/table/sys_user/" in rows[0]["caller_id"]["link"]


def test_an_empty_list_is_a_404_in_v1_alone(daemon: Api) -> None:
    daemon.get("/api/now/v1/table/incident", 404, sysparm_query="number=none")
    for path in (INCIDENT, "/api/now/v2/table/incident"):
        assert daemon.get(path, sysparm_query="number=none").json() == {"result": []}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("number=INC0000015", ["INC0000015"]),
        ("number=inc0000015", ["INC0000015"]),
        ("number=INC0000015^ORnumber=INC0000055^state=2", ["INC0000015", "INC0000055"]),
        ("state=2^number=INC0000060^NQnumber=INC0000060", ["INC0000060"]),
        ("numberININC0000015,INC0000060^EQ", ["INC0000015", "INC0000060"]),
        ("short_descriptionLIKEvpn client", ["INC0000015"]),
        ("short_description*wiki^ORDERBYDESCnumber", ["INC0009001"]),
        ("short_descriptionSTARTSWITHSAP", ["INC0000055"]),
        ("short_descriptionENDSWITHdevice", ["INC0009002"]),
        ("short_description%device", ["INC0009002"]),
        ("caller_idLIKEEmployee", ["INC0000060"]),
        ("caller_id.user_name=joe.employee", ["INC0000060"]),
        ("caller_id.department.name=Sales^number=INC0009009", ["INC0009009"]),
        ("numberBETWEENINC0009001@INC0009002", ["INC0009001", "INC0009002"]),
        ("priority<2^numberSTARTSWITHINC000900", ["INC0009005"]),
        ("assignment_groupISEMPTY^number=INC0009009", ["INC0009009"]),
        ("assignment_groupISNOTEMPTY^priority=1", ["INC0000055", "INC0007001", "INC0009005"]),
        ("stateNOT IN1,2^numberSTARTSWITHINC00000", ["INC0000060"]),
        ("state!=1^state!=2", ["INC0000060"]),
        ("subcategory!=vpn^state=2", ["INC0000055"]),
        ("ORDERBYnumber^number>=INC0009005", ["INC0009005", "INC0009009"]),
        ("number=INC0000015^sys_updated_on<=javascript:gs.nowDateTime()", ["INC0000015"]),
        (f"number=INC0000015^opened_at{TODAY}", ["INC0000015"]),
        ("number=INC0000015^opened_at>javascript:gs.daysAgoStart(2)", ["INC0000015"]),
        ("number=INC0000015^opened_at<javascript:gs.daysAgoStart(2)", []),
        ("number=INC0000015^opened_atRELATIVEGT@hour@ago@3", ["INC0000015"]),
        ("number=INC0000015^opened_by=javascript:gs.getUserID()", []),
        ("caller_idSAMEASopened_by^number=INC0000015", []),
        ("JOINincident.caller_id=sys_user.sys_id!vip=true", ["INC0008111"]),
        ("123TEXTQUERY321=vpn client", ["INC0000015"]),
    ],
)  # fmt: skip
def test_encoded_queries(daemon: Api, query: str, expected: list[str]) -> None:
    assert sorted(numbers(daemon, query)) == sorted(expected)


def test_an_unknown_field_makes_its_term_vanish(daemon: Api, admin: Api) -> None:
    everything = len(numbers(daemon, ""))
    assert len(numbers(daemon, "no_such_field=1")) == everything
    assert numbers(daemon, "number=INC0000015^caller_id.no_such=1") == ["INC0000015"]
    (row,) = admin.records("sys_properties", "name=glide.invalid_query.returns_no_rows")
    admin.change("sys_properties", row["sys_id"], value="true")
    assert numbers(daemon, "no_such_field=1") == []
    admin.change("sys_properties", row["sys_id"], value="false")
    assert "nonsense" not in daemon.records("incident", "", sysparm_fields="number,nonsense")[0]


def test_pairs_take_display_values(daemon: Api) -> None:
    found = daemon.get(INCIDENT, state="closed", sysparm_fields="number").json()["result"]
    assert found == [{"number": "INC0000060"}]
    found = daemon.get(INCIDENT, caller_id="joe.employee", sysparm_fields="number").json()
    assert found["result"] == [{"number": "INC0000060"}]
    (group,) = daemon.get("/api/now/table/sys_user_group", name="network").json()["result"]
    assert group["sys_id"] == "287ebd7da9fe198100f92cc8d1d2154e"


def test_pages_carry_a_total_and_links_without_a_space(daemon: Api) -> None:
    first = daemon.get(INCIDENT, sysparm_query="ORDERBYnumber", sysparm_limit=5)
    total = int(first.headers["X-Total-Count"])
    links = first.headers["Link"]
    assert '>;rel="first",<' in links
    assert 'rel="prev"' not in links
    next_url = next(part for part in links.split(",<") if 'rel="next"' in part)
    second = daemon.session.get(next_url.split(">")[0].lstrip("<"), timeout=10)
    assert second.json()["result"][0] not in first.json()["result"]
    assert 'rel="prev"' in second.headers["Link"]
    whole = daemon.get(INCIDENT, sysparm_limit=total)
    assert "Link" not in whole.headers
    bare = daemon.get(INCIDENT, sysparm_limit=1, sysparm_no_count="true")
    assert "X-Total-Count" not in bare.headers
    daemon.get(INCIDENT, 400, sysparm_offset=-1)


def test_a_page_is_cut_before_the_access_rules(daemon: Api, requester: Api, admin: Api) -> None:
    total = admin.get("/api/now/table/problem").headers["X-Total-Count"]
    hidden = requester.get("/api/now/table/problem")
    assert (hidden.headers["X-Total-Count"], hidden.json()) == (total, {"result": []})
    # Incidents are narrowed by a rule before the query: no sign of the others at all.
    own = requester.get(INCIDENT)
    assert int(own.headers["X-Total-Count"]) == len(own.json()["result"]) == 2
    other = daemon.records("incident", "number=INC0000060")[0]["sys_id"]
    requester.get(f"{INCIDENT}/{other}", 404)
    assert "locked_out" not in requester.record("sys_user", ABEL)
    assert "locked_out" in daemon.record("sys_user", ABEL)
    daemon.get("/api/now/table/sys_db_object", 403)
    assert daemon.get("/api/now/table/sys_properties").json() == {"result": []}


def test_a_task_query_is_exact_in_its_class(daemon: Api) -> None:
    assert daemon.records("task", "number=INC0000015")[0]["sys_class_name"] == "incident"
    assert numbers(daemon, "sys_class_name=change_request^number=CHG0000001", "task") == [
        "CHG0000001"
    ]
    assert numbers(daemon, "number=CHG0000001") == []


def test_a_reference_to_a_hidden_record_keeps_its_value_and_loses_its_name(
    daemon: Api, requester: Api
) -> None:
    problem = daemon.records("problem", "", sysparm_limit=1)[0]["sys_id"]
    made = requester.create("incident", short_description="with a problem")
    daemon.change("incident", made["sys_id"], problem_id=problem)
    seen = requester.record("incident", made["sys_id"], sysparm_display_value="all")
    assert seen["problem_id"] == {"display_value": "", "value": problem}
    full = daemon.record("incident", made["sys_id"], sysparm_display_value="all")
    assert full["problem_id"]["display_value"].startswith("PRB")


def test_a_parent_table_shows_its_own_columns(daemon: Api) -> None:
    (row,) = daemon.records("task", "number=INC0000015")
    assert "caller_id" not in row
    assert "caller_id" not in daemon.record("task", row["sys_id"])
    assert "caller_id" in daemon.record("incident", row["sys_id"])


def test_an_added_choice_is_shown(admin: Api) -> None:
    admin.create(
        "sys_choice", name="incident", element="category", value="badge", label="Badge lost"
    )
    record = admin.create("incident", category="badge")
    shown = admin.record("incident", record["sys_id"], sysparm_display_value="true")
    assert shown["category"] == "Badge lost"


def test_writes_answer_as_documented(daemon: Api) -> None:
    made = daemon.session.post(
        f"{daemon.url}{INCIDENT}", json={"short_description": "a", "x": "y"}, timeout=10
    )
    record = made.json()["result"]
    assert made.headers["Location"] == f"{daemon.url}{INCIDENT}/{record['sys_id']}"
    assert (record["sys_mod_count"], record["sys_created_by"]) == ("0", "tiergate")
    number = record["sys_id"]
    assert daemon.change("incident", number, short_description="b")["sys_mod_count"] == "1"
    assert daemon.change("incident", number, short_description="b")["sys_mod_count"] == "1"
    put = daemon.session.put(f"{daemon.url}{INCIDENT}/{number}", json={"urgency": "1"}, timeout=10)
    assert put.json()["result"]["short_description"] == "b"
    assert put.json()["result"]["priority"] == "3"
    silent = daemon.session.patch(
        f"{daemon.url}{INCIDENT}/{number}",
        json={"urgency": "2"},
        headers={"X-no-response-body": "true"},
        timeout=10,
    )
    assert (silent.status_code, silent.content) == (204, b"")
    assert daemon.session.delete(f"{daemon.url}{INCIDENT}/{number}", timeout=10).status_code == 403
    missing = f"{daemon.url}{INCIDENT}/{'0' * 32}"
    assert daemon.session.patch(missing, json={}, timeout=10).status_code == 404


def test_an_administrator_deletes(admin: Api) -> None:
    record = admin.create("incident", short_description="gone soon")
    answer = admin.session.delete(f"{admin.url}{INCIDENT}/{record['sys_id']}", timeout=10)
    assert (answer.status_code, answer.content) == (204, b"")
    admin.get(f"{INCIDENT}/{record['sys_id']}", 404)


def test_a_chosen_sys_id_is_kept_and_a_taken_one_refused(daemon: Api) -> None:
    chosen = "ABCDEF0123456789ABCDEF0123456789"
    assert daemon.create("incident", sys_id=chosen, correlation_id="k")["sys_id"] == chosen
    refusal = daemon.create("incident", 403, sys_id=chosen)
    assert "Unique Key violation" in refusal["error"]["detail"]
    assert len(daemon.records("incident", "correlation_id=k")) == 1


def test_journals_are_written_and_read_in_two_different_places(daemon: Api, agent: Api) -> None:
    number = daemon.create("incident", short_description="j")["sys_id"]
    answer = daemon.change("incident", number, work_notes="first", comments="seen by all")
    assert (answer["work_notes"], answer["sys_mod_count"]) == ("", "1")
    agent.change("incident", number, work_notes="second")
    shown = daemon.record("incident", number, sysparm_display_value="true")
    assert shown["work_notes"].index("second") < shown["work_notes"].index("first")
    assert " - Tiergate Integration (Work notes)\nfirst\n\n" in shown["work_notes"]
    assert "(Additional comments)" in shown["comments_and_work_notes"]
    entries = daemon.records("sys_journal_field", f"element_id={number}^ORDERBYsys_created_on")
    assert {(e["element"], e["value"], e["name"]) for e in entries} == {
        ("work_notes", "first", "incident"),
        ("comments", "seen by all", "incident"),
        ("work_notes", "second", "incident"),
    }
    assert "sys_updated_on" not in entries[0]
    both = daemon.record("incident", number, sysparm_display_value="all")
    assert both["work_notes"]["value"] == ""


def test_resolving_needs_a_code_on_the_list_and_notes(daemon: Api) -> None:
    number = daemon.create("incident", short_description="r")["sys_id"]
    refusal = daemon.change("incident", number, 403, state="6", close_code="Off the list")
    assert refusal["error"]["detail"] == (
        "Data Policy Exception: The following fields are mandatory: "
        "Resolution code, Resolution notes"
    )
    done = daemon.change(
        "incident", number, state="6", close_code="Solution provided", close_notes="n"
    )
    assert (done["incident_state"], done["active"]) == ("6", "true")
    assert done["resolved_at"]
    again = daemon.change("incident", number, incident_state="2")
    assert (again["state"], again["reopen_count"], again["resolved_at"]) == ("2", "1", "")


def test_on_hold_for_a_change(daemon: Api) -> None:
    number = daemon.create("incident", short_description="h")["sys_id"]
    change = daemon.create("change_request", short_description="c")["sys_id"]
    daemon.change("incident", number, 403, state="3")
    held = daemon.change("incident", number, state="3", hold_reason="5", rfc=change)
    assert (held["hold_reason"], held["rfc"]) == ("5", change)
    assert daemon.change("incident", number, state="2")["hold_reason"] == ""


def test_self_service_is_seen_in_the_record(requester: Api, daemon: Api) -> None:
    made = requester.create("incident", short_description="mine", assignment_group="Network")
    assert made["contact_type"] == "self-service"
    assert (made["sys_created_by"], made["caller_id"]) == ("abel.tuter", ABEL)
    assert made["assignment_group"] == ""
    requester.change("incident", made["sys_id"], comments="any news?")
    other = daemon.create("incident", short_description="for him", caller_id="abel.tuter")
    assert (other["contact_type"], other["sys_created_by"]) == ("", "tiergate")
    assert "for him" in [row["short_description"] for row in requester.records("incident")]


def test_times_are_shown_in_the_callers_zone(admin: Api, daemon: Api) -> None:
    record = daemon.create("incident", short_description="t", opened_at="2026-07-01 12:00:00")
    shown = admin.record("incident", record["sys_id"], sysparm_display_value="true")
    assert shown["opened_at"] == "2026-07-01 05:00:00"
    user = admin.records("sys_user", "user_name=admin")[0]["sys_id"]
    admin.change("sys_user", user, time_zone="Europe/Berlin", date_format="dd.MM.yyyy")
    shown = admin.record("incident", record["sys_id"], sysparm_display_value="true")
    assert shown["opened_at"] == "01.07.2026 14:00:00"
    generated = "javascript:gs.dateGenerate('2026-07-01','14:00:00')"
    found = admin.records("incident", f"opened_at={generated}")
    assert [row["sys_id"] for row in found] == [record["sys_id"]]
    body = {"opened_at": "02.07.2026 14:00:00", "caller_id": "Abel Tuter"}
    answer = admin.session.patch(
        f"{admin.url}{INCIDENT}/{record['sys_id']}?sysparm_input_display_value=true",
        json=body,
        timeout=10,
    )
    assert answer.json()["result"]["opened_at"] == "2026-07-02 12:00:00"
    admin.change("sys_user", user, time_zone="", date_format="")


def test_system_fields_count_when_they_are_asked_to(admin: Api) -> None:
    record = admin.create("incident", short_description="s")
    path = f"{admin.url}{INCIDENT}/{record['sys_id']}"
    body = {"sys_updated_on": "2020-01-01 00:00:00", "short_description": "t"}
    answer = admin.session.patch(path, json=body, timeout=10)
    assert answer.json()["result"]["sys_updated_on"] != "2020-01-01 00:00:00"
    body["short_description"] = "u"
    answer = admin.session.patch(
        f"{path}?sysparm_suppress_auto_sys_field=false", json=body, timeout=10
    )
    assert answer.json()["result"]["sys_updated_on"] == "2020-01-01 00:00:00"
