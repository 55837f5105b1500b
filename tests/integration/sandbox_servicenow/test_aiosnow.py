"""aiosnow against the sandbox, used as its documentation does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiosnow
import pytest
from aiosnow.exceptions import RequestError
from aiosnow.models.table.declared import IncidentModel as Incident
from aiosnow.query import select

from connectors.servicenow.sandbox.server import ServiceNowSandbox

# aiosnow 0.6.0 uses names that aiohttp will drop in 4.0.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Work = Callable[[Any], Awaitable[None]]


def run(sandbox: ServiceNowSandbox, work: Work, password: str | None = None) -> None:
    account = sandbox.accounts["integration"]

    async def session() -> None:
        client = aiosnow.Client(
            sandbox.url.removeprefix("http://"),
            basic_auth=(account.username, password or account.password),
            use_ssl=False,
        )
        async with Incident(client, table_name="incident") as incidents:
            await work(incidents)

    asyncio.run(session())


def test_an_incident_is_created_found_changed_and_given_a_file(
    sandbox: ServiceNowSandbox, tmp_path: Path
) -> None:
    file = tmp_path / "note.txt"
    file.write_text("hello", "utf-8")

    async def work(incidents: Any) -> None:
        made = await incidents.create({"short_description": "by aiosnow", "impact": 2})
        number = made.data["number"]
        changed = await incidents.update(
            Incident.number == number, {"short_description": "changed"}
        )
        assert changed["short_description"] == "changed"
        found = await incidents.get_one(Incident.number == number)
        assert found["short_description"] == "changed"
        assert found["impact"].value == "2 - Medium"
        await incidents.upload_file(Incident.number == number, str(file))
        files = await incidents.get_attachments(Incident.number == number)
        assert [one["file_name"] for one in files] == ["note.txt"]

    run(sandbox, work)


def test_pages_are_streamed_by_the_link_header(sandbox: ServiceNowSandbox) -> None:
    async def work(incidents: Any) -> None:
        high = await incidents.get(Incident.priority <= 2, limit=5)
        assert high.data
        assert all(row["priority"].key <= 2 for row in high)
        query = select(Incident.number.starts_with("INC000900")).order_asc(Incident.number)
        pages = [row["number"] async for _, row in incidents.stream(query, page_size=2, limit=4)]
        assert pages == ["INC0009001", "INC0009002", "INC0009005", "INC0009009"]

    run(sandbox, work)


def test_refusals_are_the_clients_own_errors(sandbox: ServiceNowSandbox) -> None:
    async def work(incidents: Any) -> None:
        selection = Incident.number == "INC0009001"
        with pytest.raises(RequestError, match="On hold reason"):
            await incidents.update(selection, {"state": 3})
        with pytest.raises(RequestError, match="ACL Exception Delete Failed"):
            await incidents.delete(selection)

    async def outside(incidents: Any) -> None:
        with pytest.raises(RequestError, match="not authenticated"):
            await incidents.get_one(Incident.number == "INC0009001")

    run(sandbox, work)
    run(sandbox, outside, password="wrong")
