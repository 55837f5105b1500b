"""Standard change templates, their versions, and the proposals that make and change them."""

from typing import Any

from tests.integration.sandbox_servicenow.conftest import Api, Record

CHANGE = "/api/sn_chg_rest/change"
MEMBER = "b0f6a2b047010200e90d87e8dee49008"
RETIRED = "b0f6a2b047010200e90d87e8dee49009"
VALUE = "short_description=Move a mailbox^implementation_plan=Move.^backout_plan=Move back.^risk=4"


def decide(admin: Api, proposal: str, state: str) -> None:
    rows = admin.records("sysapproval_approver", f"sysapproval={proposal}^state=requested")
    assert len(rows) == 3
    admin.change("sysapproval_approver", rows[0]["sys_id"], state=state, comments="c")


def proposed(agent: Api, **values: Any) -> Record:
    return agent.create("std_change_proposal", template_name="Move a mailbox",
                        template_value=VALUE, **values)  # fmt: skip


def test_the_templates_on_offer_are_listed_with_their_current_version(daemon: Api) -> None:
    answer = daemon.get(f"{CHANGE}/standard/template")
    names = {one["name"]["value"]: one for one in answer.json()["result"]}
    assert "Add a member to a privileged directory group" in names
    assert "Rotate the certificate of a web server" not in names
    assert answer.headers["X-Total-Count"] == str(len(names))
    only = daemon.get(
        f"{CHANGE}/standard/template", sysparm_query=f"sys_id={MEMBER}", sysparm_limit="1"
    ).json()["result"]
    (one,) = only
    assert one["current_version"]["display_value"].endswith(" - 2")
    versions = daemon.records("std_change_producer_version", f"std_change_producer={MEMBER}")
    assert {row["version"] for row in versions} == {"1", "2"}
    assert one["current_version"]["value"] in {row["sys_id"] for row in versions}


def test_a_change_takes_the_text_of_its_template_and_no_approval(daemon: Api) -> None:
    made = daemon.post(f"{CHANGE}/standard/{MEMBER}", {"description": "mine"}, 200)["result"]
    assert made["type"]["value"] == "standard"
    assert made["implementation_plan"]["value"].count("\n") == 2
    assert made["description"]["value"] != "mine"
    number = made["sys_id"]["value"]
    moved = daemon.change("change_request", number, state="-2")
    assert (moved["state"], moved["approval"]) == ("-2", "approved")
    assert daemon.records("sysapproval_approver", f"sysapproval={number}") == []


def test_a_retired_template_is_nobodys_any_more(daemon: Api) -> None:
    daemon.post(f"{CHANGE}/standard/{RETIRED}", {}, 404)
    daemon.post(f"{CHANGE}/standard/{'0' * 32}", {}, 404)


def test_an_approved_proposal_is_published_and_its_version_counts_changes(
    admin: Api, agent: Api
) -> None:
    proposal = proposed(agent, state="3", approval="approved")
    assert proposal["number"].startswith("STDCHG")
    assert (proposal["state"], proposal["approval"]) == ("1", "not requested")
    agent.change("std_change_proposal", proposal["sys_id"], state="2")
    assert agent.record("std_change_proposal", proposal["sys_id"])["approval"] == "requested"
    decide(admin, proposal["sys_id"], "approved")
    done = agent.record("std_change_proposal", proposal["sys_id"])
    assert (done["state"], done["approval"], done["active"]) == ("3", "approved", "false")
    version = agent.record("std_change_producer_version", done["std_change_producer_version"])
    assert version["name"] == "Move a mailbox - 1"
    template = version["std_change_producer"]
    made = agent.post(f"{CHANGE}/standard/{template}", {}, 200)["result"]["sys_id"]["value"]
    for state in ("-2", "-1", "0"):
        agent.change("change_request", made, state=state)
    agent.change("change_request", made, state="3", close_code="unsuccessful", close_notes="n")
    counted = agent.record("std_change_producer_version", version["sys_id"])
    assert (counted["closed_changes"], counted["unsuccessful_changes"]) == ("1", "1")
    assert counted["percent_successful"] == "0"

    changed = proposed(agent, proposal_type="2", std_change_producer=template)
    agent.change("std_change_proposal", changed["sys_id"], state="2")
    agent.record("std_change_proposal", changed["sys_id"])
    decide(admin, changed["sys_id"], "approved")
    row = agent.record("std_change_record_producer", template)
    current = agent.record("std_change_producer_version", row["current_version"])
    assert current["name"] == "Move a mailbox - 2"

    for _ in range(2):
        retired = proposed(agent, proposal_type="3", std_change_producer=template)
        agent.change("std_change_proposal", retired["sys_id"], state="2")
        agent.record("std_change_proposal", retired["sys_id"])
        decide(admin, retired["sys_id"], "approved")
        row = agent.record("std_change_record_producer", template)
        assert (row["retired"], row["active"]) == ("true", "false")
    agent.post(f"{CHANGE}/standard/{template}", {}, 404)
    late = proposed(agent, proposal_type="2", std_change_producer=template)
    agent.change("std_change_proposal", late["sys_id"], state="2")
    agent.record("std_change_proposal", late["sys_id"])
    decide(admin, late["sys_id"], "approved")
    assert agent.record("std_change_proposal", late["sys_id"])["std_change_producer_version"] == ""


def test_a_rejected_proposal_can_be_changed_and_sent_again(admin: Api, agent: Api) -> None:
    number = proposed(agent)["sys_id"]
    agent.change("std_change_proposal", number, state="2")
    agent.record("std_change_proposal", number)
    decide(admin, number, "rejected")
    back = agent.record("std_change_proposal", number)
    assert (back["state"], back["approval"]) == ("1", "rejected")
    agent.change("std_change_proposal", number, state="2")
    agent.record("std_change_proposal", number)
    agent.change("std_change_proposal", number, state="4")
    left = admin.records("sysapproval_approver", f"sysapproval={number}^state=requested")
    assert left == []
