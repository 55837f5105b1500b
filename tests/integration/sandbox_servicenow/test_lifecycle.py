"""Starting, stopping, keeping data, running past the quota."""

import sqlite3
from pathlib import Path

import pytest
import requests

from connectors.servicenow.sandbox.schema import load_schema
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.servicenow.sandbox.store import QuotaExceededError, Store

INCIDENT = "/api/now/table/incident"


def call(sandbox: ServiceNowSandbox, method: str, path: str, **values: str) -> requests.Response:
    account = sandbox.accounts["integration"]
    return requests.request(
        method,
        f"{sandbox.url}{path}",
        json=values or None,
        auth=(account.username, account.password),
        timeout=10,
    )


def test_a_folder_keeps_records_numbers_and_steps_that_wait(tmp_path: Path) -> None:
    with ServiceNowSandbox(tmp_path, "empty") as first:
        made = call(first, "POST", INCIDENT, short_description="kept").json()["result"]
        change = call(
            first, "POST", "/api/now/table/change_request", assignment_group="Software"
        ).json()["result"]["sys_id"]
        call(first, "PATCH", f"/api/now/table/change_request/{change}", state="-4")
        old_url = first.url
    with ServiceNowSandbox(tmp_path, "demo") as second:
        kept = call(second, "GET", f"{INCIDENT}/{made['sys_id']}").json()["result"]
        assert kept["number"] == made["number"]
        assert kept["opened_by"]["link"].startswith(second.url)
        assert old_url != second.url
        # It was seeded as `empty` and stays so.
        assert call(second, "GET", INCIDENT).headers["X-Total-Count"] == "1"
        again = call(second, "POST", INCIDENT, short_description="next").json()["result"]
        assert int(again["number"][3:]) == int(made["number"][3:]) + 1
        moved = call(second, "GET", f"/api/now/table/change_request/{change}").json()["result"]
        assert (moved["state"], moved["approval"]) == ("-3", "requested")


def test_seeding_anew_forgets_everything(tmp_path: Path) -> None:
    with ServiceNowSandbox(tmp_path, "demo") as sandbox:
        before = int(call(sandbox, "GET", INCIDENT).headers["X-Total-Count"])
        call(sandbox, "POST", INCIDENT, short_description="gone")
        seed = f"{sandbox.admin_url}/seed"
        assert requests.post(seed, json={"kind": "demo"}, timeout=30).status_code == 200
        assert int(call(sandbox, "GET", INCIDENT).headers["X-Total-Count"]) == before
        assert requests.post(seed, json={"kind": "incidents", "count": 25}, timeout=30).ok
        assert int(call(sandbox, "GET", INCIDENT).headers["X-Total-Count"]) == before + 25
        for raw in ({}, {"kind": "x"}, {"kind": "incidents", "count": 0}, {"kind": "records"}):
            assert requests.post(seed, json=raw, timeout=30).status_code == 400
        bad = {"kind": "records", "table": "incident", "records": [1]}
        assert requests.post(seed, json=bad, timeout=30).status_code == 400


def test_a_statement_past_its_quota_is_cancelled(tmp_path: Path) -> None:
    store = Store(tmp_path / "quota.db", load_schema())
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(QuotaExceededError), store.quota(0.2):
        store.rows(endless)
    assert store.rows("SELECT 1") == [(1,)]
    with pytest.raises(sqlite3.OperationalError):
        store.rows("SELECT no_such_column")
    store.close()
