"""The connector and everybody else on one Jira sandbox, over sockets."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from connectors.jira.factory import JiraAdapters, build
from connectors.jira.sandbox.definition import Transition
from connectors.jira.sandbox.server import JiraSandbox
from connectors.jira.settings import JiraSettings
from engine.runtime.clock import SystemClock
from tests.contract.harness_jira import Flavour, JiraHarness


class World(JiraHarness):
    """A harness whose sandbox and settings a test may look into."""

    def __init__(self, sandbox: JiraSandbox, flavour: Flavour) -> None:
        super().__init__(sandbox, flavour)
        self.sandbox = sandbox
        self.flavour = flavour

    def again(self, **changes: Any) -> JiraAdapters:
        """Return adapters of another daemon, which remembers nothing."""
        account = self.sandbox.accounts["integration"]
        auth = (
            {"email": account["username"], "token": account["password"]}
            if self.flavour == "cloud"
            else {"pat": account["token"]}
        )
        held: dict[str, Any] = {
            "url": self.sandbox.url,
            "auth": auth,
            "tickets": [{"project": "ITH"}],
            "changes": {"project": "ITH"},
            "attempts": 2,
        }
        return build(self.name, JiraSettings.model_validate({**held, **changes}), SystemClock())

    def add_way(self, workflow: str, *, source: str, target: str) -> None:
        """Let an administrator draw one more arrow into a workflow."""
        site = self.sandbox.site
        flow = site.definition.workflows[workflow]
        way = Transition(
            id="999",
            name="Around",
            sources=(source,),
            target=target,
            screen=(),
            needs=(),
            resolution=None,
            internal=False,
            customer=False,
        )
        flows = {
            **site.definition.workflows,
            workflow: replace(flow, transitions=(*flow.transitions, way)),
        }
        site.definition = replace(site.definition, workflows=flows)

    def sent(self, method: str, path: str) -> int:
        """Count the daemon's requests to addresses that contain `path`."""
        entries = self.sandbox.log.entries(user="tiergate", method=method)
        return sum(path in one.target for one in entries)


@pytest.fixture(params=["cloud", "datacenter"])
def world(request: pytest.FixtureRequest) -> Generator[World]:
    """A fresh site of each flavour."""
    with JiraSandbox(seed="empty", flavour=request.param) as sandbox:
        yield World(sandbox, request.param)


@pytest.fixture
def cloud() -> Generator[World]:
    """A fresh Cloud site."""
    with JiraSandbox(seed="empty", flavour="cloud") as sandbox:
        yield World(sandbox, "cloud")
