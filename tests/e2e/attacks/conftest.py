"""A theatre of its own for every attack: nothing of one play stands in the next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import PRIVILEGED, REMOTE, Play
from tests.e2e.attacks.theatre import Company, Theatre, open_theatre


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    with open_theatre(tmp_path) as theatre:
        yield theatre


@pytest.fixture
def servicenow(theatre: Theatre) -> Iterator[Play[ServiceNowOffice]]:
    office = ServiceNowOffice(theatre)
    company = Company(theatre, "servicenow")
    yield Play(theatre, office, company, "bob.miller", PRIVILEGED)
    company.close()
    office.close()


@pytest.fixture
def jira(theatre: Theatre) -> Iterator[Play[JiraOffice]]:
    office = JiraOffice(theatre)
    company = Company(theatre, "itsm-jira")
    yield Play(theatre, office, company, "dan.wolter", REMOTE)
    company.close()
    office.close()
