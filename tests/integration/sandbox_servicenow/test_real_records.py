"""Real records of a developer instance: the sandbox takes them and gives the same shape back."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

# Added by plugins that the recorded instance did not have, or by its age.
OURS = {"skills", "wf_activity", "major_incident_state", "severity"}


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    file = shared / "data" / "servicenow_demo" / f"{name}_records.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def text(value: Any) -> str:
    return str(value["display_value"] if isinstance(value, dict) else value or "")


@pytest.mark.shared
@pytest.mark.parametrize("table", ["incident", "problem"])
def test_records_of_a_real_instance_come_back_as_they_were(
    sandbox: ServiceNowSandbox, admin: Api, shared: Path, table: str
) -> None:
    records = recorded(shared, table)
    for record in records:
        record["number"] = f"REAL{record['number']}"
    seeded = requests.post(
        f"{sandbox.admin_url}/seed",
        json={"kind": "records", "table": table, "records": records},
        timeout=60,
    )
    assert seeded.status_code == 200, seeded.text
    names = ",".join(records[0])
    answer = admin.get(
        f"/api/now/table/{table}",
        sysparm_query="numberSTARTSWITHREAL^ORDERBYnumber",
        sysparm_display_value="true",
        sysparm_limit=1000,
    ).json()["result"]
    assert len(answer) == len(records)
    assert set(answer[0]) ^ set(records[0]) <= OURS
    seen = {row["sys_id"]: row for row in answer}
    kept = ("short_description", "state", "impact", "urgency", "category", "close_code",
            "close_notes", "contact_type", "escalation", "approval")  # fmt: skip
    differing = [
        (record["number"], name, text(record[name]), text(seen[record["sys_id"]][name]))
        for record in records
        for name in kept
        if name in names and text(record.get(name)) != text(seen[record["sys_id"]].get(name))
    ]
    assert differing == []
    for record in records[:5]:
        mine = seen[record["sys_id"]]
        for name, value in record.items():
            if isinstance(value, dict) and isinstance(mine[name], dict):
                assert set(mine[name]) == set(value), name
