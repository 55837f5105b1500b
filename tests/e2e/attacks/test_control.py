"""A native control record stops an approved change in the last second, on both vendors."""

from typing import Any

from engine.domain.stage import Stage
from tests.e2e.attacks.desk import changed
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Play
from tests.e2e.attacks.test_moments import begin
from tests.e2e.attacks.theatre import act_after, edit_yaml

DESK = {"servicenow": "d625dccec0a8016700a222a0f7900d06", "itsm-jira": "5b10ac8d-service-desk"}


class ProblemSwitch:
    """A problem record whose mark "known error" is the switch."""

    def __init__(self, office: ServiceNowOffice) -> None:
        self.office = office
        self.id = office.insert("problem", {"short_description": "Tiergate switch"})
        self.settings: dict[str, Any] = {
            "table": "problem",
            "record": self.id,
            "field": "known_error",
            "paused": ["true"],
            "running": ["false"],
        }

    def set(self, *, stop: bool, uid: str) -> None:
        values = {"known_error": "true" if stop else "false"}
        self.office.write("problem", self.id, values, uid)


class IssueSwitch:
    """An issue of another project whose status is the switch."""

    def __init__(self, office: JiraOffice) -> None:
        self.office = office
        fields = {
            "project": {"key": "OPS"},
            "issuetype": {"name": "Task"},
            "summary": "Tiergate switch",
        }
        self.key = str(office.client().issue_create(fields=fields)["key"])
        self.settings: dict[str, Any] = {
            "issue": self.key,
            "paused": ["Open"],
            "running": ["In Progress"],
        }

    def set(self, *, stop: bool, uid: str) -> None:
        way = "Closed" if stop else "In Progress"
        if not stop and self.office.client().get_issue_status(self.key) == "Closed":
            self.office.client(uid).set_issue_status(self.key, "Reopened")
        self.office.client(uid).set_issue_status(self.key, way)


Switch = ProblemSwitch | IssueSwitch


def switched_in_the_last_second(
    play: Play[ServiceNowOffice] | Play[JiraOffice], switch: Switch
) -> None:
    system = play.office.system

    def configure(document: Any) -> None:
        document["systems"][system]["control"] = {**switch.settings, "group": DESK[system]}

    switch.set(stop=True, uid="ada.tuter")
    switch.set(stop=False, uid="ada.tuter")
    edit_yaml(play.company.config, configure)
    begin(play)
    play.office.approve("howard.johnson")
    play.pass_time(seconds=30)
    act_after(play.company, "claim", lambda: switch.set(stop=True, uid="luke.wilson"))
    play.settle()
    changed(play, effects=0)
    found = play.handling()
    assert not found.stage.is_end
    with play.company.services.store.begin() as work:
        (pause,) = work.pauses()
        said = [row.actor for row in work.audit("installation") if row.event == "paused"]
    assert pause.by in {"luke.wilson", "Luke Wilson"}
    assert said[-1] == pause.by
    switch.set(stop=False, uid="admin")
    play.settle()
    changed(play, effects=0)
    switch.set(stop=True, uid="luke.wilson")
    switch.set(stop=False, uid="luke.wilson")
    play.settle()
    changed(play, effects=1)
    assert play.handling().stage is Stage.FULFILLED


def test_an_agent_stops_an_approved_change_from_servicenow(
    servicenow: Play[ServiceNowOffice],
) -> None:
    switched_in_the_last_second(servicenow, ProblemSwitch(servicenow.office))


def test_an_agent_stops_an_approved_change_from_jira(jira: Play[JiraOffice]) -> None:
    switched_in_the_last_second(jira, IssueSwitch(jira.office))
