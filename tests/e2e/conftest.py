"""Sandboxes in this process, and a stage on which a daemon in another one runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.jira.sandbox.server import JiraSandbox
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.smtp.sandbox.server import MailSandbox
from engine.cli.demo.files import write_files
from engine.cli.demo.people import open_world
from engine.cli.sandbox import document_of
from tests.e2e.stage import Stage
from tests.recording import RECORDER


@pytest.fixture(scope="session", autouse=True)
def _all_traffic_is_recorded() -> Iterator[None]:
    with RECORDER.listening():
        yield


@pytest.fixture(autouse=True)
def _no_write_is_forbidden(_all_traffic_is_recorded: None) -> Iterator[None]:
    """I3 over the whole suite: whatever a test is about, the daemon wrote nothing forbidden."""
    yield
    assert RECORDER.judge() == []


@pytest.fixture
def sandboxes(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with (
        ServiceNowSandbox(tmp_path / "servicenow", "empty") as servicenow,
        JiraSandbox(tmp_path / "jira", "empty", "cloud") as jira,
        DirectorySandbox(tmp_path / "ldap", "demo") as directory,
        MailSandbox(tmp_path / "smtp") as mail,
    ):
        yield document_of(servicenow, jira, directory, mail)


@pytest.fixture
def stage(tmp_path: Path, sandboxes: dict[str, Any]) -> Iterator[Stage]:
    stage = Stage(
        folder=tmp_path,
        document=sandboxes,
        world=open_world(sandboxes),
        config=write_files(tmp_path, sandboxes),
    )
    yield stage
    stage.close()
