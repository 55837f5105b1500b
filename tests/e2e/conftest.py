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
