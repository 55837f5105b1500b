"""A sandbox keeps its data, speaks TLS, takes seeds, tells webhooks, and survives many at once."""

import json
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.jira.sandbox.server import JiraSandbox


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with JiraSandbox(tmp_path, "empty", "datacenter") as sandbox:
        login = (sandbox.accounts["admin"]["username"], sandbox.accounts["admin"]["password"])
        body = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "s"}}
        made = requests.post(f"{sandbox.url}/rest/api/2/issue", json=body, auth=login, timeout=9)
        key = made.json()["key"]
    with JiraSandbox(tmp_path, "empty", "datacenter") as sandbox:
        found = requests.get(f"{sandbox.url}/rest/api/2/issue/{key}", auth=login, timeout=9)
        again = requests.post(f"{sandbox.url}/rest/api/2/issue", json=body, auth=login, timeout=9)
        assert found.json()["fields"]["summary"] == "s"
        assert again.json()["key"] != key


def test_the_demo_has_tickets_of_yesterday_and_a_change_that_waits() -> None:
    with JiraSandbox(seed="demo", flavour="cloud") as sandbox:
        login = (sandbox.accounts["agent"]["username"], sandbox.accounts["agent"]["password"])
        asked = {"jql": "created < -20h ORDER BY key", "fields": "status,creator,reporter"}
        address = f"{sandbox.url}/rest/api/3/search/jql"
        found = requests.get(address, params=asked, auth=login, timeout=9).json()["issues"]
        assert len(found) == 6
        assert all(one["fields"]["creator"] == one["fields"]["reporter"] for one in found)
        assert found[-1]["fields"]["status"]["name"] == "Authorize"
        now = requests.get(f"{sandbox.url}/rest/api/3/serverInfo", timeout=9).json()["serverTime"]
        assert now[:10] == f"{sandbox.clock.now():%Y-%m-%d}"
        page = requests.get(f"{sandbox.url}/approvals?person=beth.anglin", timeout=9).text
        assert "Patch the print servers" in page


def test_tls_is_trusted_by_its_own_authority_alone(tmp_path: Path) -> None:
    with JiraSandbox(tmp_path, tls=True) as sandbox:
        assert sandbox.url.startswith("https://")
        address = f"{sandbox.url}/rest/api/2/serverInfo"
        shown = requests.get(address, verify=str(sandbox.ca_file), timeout=9).json()
        assert shown["baseUrl"] == sandbox.url
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(address, timeout=9)


def test_a_taken_port_and_an_unknown_seed_are_refused(cloud: Any) -> None:
    taken = int(cloud.sandbox.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        JiraSandbox(port=taken)
    with pytest.raises(ValueError, match="unknown seed"):
        JiraSandbox(seed="other")  # type: ignore[arg-type]  # what a wrong command line gives


def test_seeds_raise_requests_and_change_accounts(desk: Any) -> None:
    asked = {
        "reporter": "bob.miller",
        "type": "Reset password",
        "fields": {"summary": "Cannot get in", "description": "Since Monday."},
    }
    (key,) = desk.admin("POST", "/seed", {"requests": [asked]})["requests"]
    issue = desk.as_("agent").get(f"/rest/api/2/issue/{key}", fields="creator,reporter")["fields"]
    assert issue["creator"]["displayName"] == issue["reporter"]["displayName"] == "Bob Miller"
    desk.admin("POST", "/seed", {"accounts": [{"name": "luke.wilson", "zone": "Asia/Tokyo"}]})
    assert desk.as_("agent").get("/rest/api/2/myself")["timeZone"] == "Asia/Tokyo"
    desk.admin("POST", "/seed", {"accounts": [{"name": "luke.wilson", "active": False}]})
    assert desk.as_("agent").status("GET", "/rest/api/2/myself") == 401
    desk.admin("POST", "/seed", {"accounts": [{"name": "luke.wilson", "active": True}]})


@pytest.mark.parametrize(
    "seed",
    [
        {"nonsense": 1},
        {"requests": [{"reporter": "nobody", "type": "Reset password", "fields": {}}]},
        {"requests": [{"reporter": "bob.miller", "type": "No such", "fields": {}}]},
        {"requests": [{"reporter": "bob.miller", "type": "Reset password", "fields": {}}]},
        {"moves": [{"issue": "OPS-9999", "project": "ITH"}]},
        {"bulk": {"project": "OPS"}},
        {"accounts": [{"name": "bob.miller", "zone": "Mars/Base"}]},
        {"accounts": 7},
    ],
)
def test_a_seed_that_cannot_be_read_is_refused_whole(desk: Any, seed: dict[str, Any]) -> None:
    answer = requests.post(f"{desk.sandbox.admin_url}/seed", json=seed, timeout=9)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_many_clients_at_once_lose_no_write(desk: Any) -> None:
    login = desk.as_("integration").session.auth
    body = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "many"}}

    def make(_number: int) -> str:
        made = requests.post(
            f"{desk.sandbox.url}/rest/api/2/issue", json=body, auth=login, timeout=20
        )
        key: str = made.json()["key"]
        return key

    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(make, range(64)))
    assert len(set(keys)) == 64
    assert sorted(desk.as_("integration").search("summary ~ many")) == sorted(keys)


class _Listener(BaseHTTPRequestHandler):
    seen: "queue.Queue[tuple[dict[str, Any], str | None]]" = queue.Queue()
    codes: "queue.Queue[int]" = queue.Queue()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.put((body, self.headers.get("X-Atlassian-Webhook-Retry")))
        self.send_response(self.codes.get_nowait() if not self.codes.empty() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def listener() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_is_told_of_what_its_query_meets_and_tried_again(
    desk: Any, listener: str
) -> None:
    admin = desk.as_("admin")
    hook = {
        "name": "ours",
        "url": listener,
        "events": ["jira:issue_created", "jira:issue_updated"],
        "filters": {"issue-related-events-section": "project = OPS AND labels = told"},
    }
    made = admin.post("/rest/webhooks/1.0/webhook", hook)
    _Listener.codes.put(503)
    key = desk.ops_issue(labels=["told"])
    first, again = _Listener.seen.get(timeout=10), _Listener.seen.get(timeout=10)
    assert (first[1], again[1]) == (None, "1")
    assert first[0]["webhookEvent"] == "jira:issue_created"
    assert first[0]["issue"]["key"] == key
    desk.ops_issue(labels=["untold"])
    desk.as_("integration").put(f"/rest/api/2/issue/{key}", {"fields": {"summary": "other"}})
    body, _ = _Listener.seen.get(timeout=10)
    assert body["changelog"]["items"][0]["toString"] == "other"
    number = made["self"].rsplit("/", 1)[1]
    assert admin.get(f"/rest/webhooks/1.0/webhook/{number}")["name"] == "ours"
    admin.delete(f"/rest/webhooks/1.0/webhook/{number}")
    assert admin.get("/rest/webhooks/1.0/webhook") == []
    assert desk.as_("agent").status("POST", "/rest/webhooks/1.0/webhook", json=hook) == 403


def test_webhooks_of_applications_are_for_bearers_of_tokens(cloud: Any, listener: str) -> None:
    body = {
        "url": listener,
        "webhooks": [
            {"jqlFilter": "project = OPS", "events": ["jira:issue_created"]},
            {"jqlFilter": "nonsense", "events": ["jira:issue_created"]},
        ],
    }
    client = cloud.as_("integration")
    assert client.status("POST", "/rest/api/3/webhook", json=body) == 403
    header = {"Authorization": "Bearer tiergate-pat"}
    url = f"{cloud.sandbox.url}/rest/api/3/webhook"
    made = requests.post(url, json=body, headers=header, timeout=9).json()
    first, second = made["webhookRegistrationResult"]
    assert second["errors"]
    shown = requests.get(url, headers=header, timeout=9).json()
    assert shown["values"][0]["id"] == first["createdWebhookId"]
    gone = requests.delete(
        url, json={"webhookIds": [first["createdWebhookId"]]}, headers=header, timeout=9
    )
    assert gone.status_code == 202


def test_files_are_attached_read_and_removed(desk: Any) -> None:
    client, key = desk.as_("integration"), desk.ops_issue()
    path = f"/rest/api/2/issue/{key}/attachments"
    files = {"file": ("report.txt", b"some bytes", "text/plain")}
    assert client.status("POST", path, files=files) == 403
    (made,) = client.send(
        "POST", path, files=files, headers={"X-Atlassian-Token": "no-check"}
    ).json()
    assert (made["filename"], made["size"], made["mimeType"]) == ("report.txt", 10, "text/plain")
    shown = client.get(f"/rest/api/2/issue/{key}", fields="attachment")["fields"]["attachment"]
    content = client.send("GET", shown[0]["content"].removeprefix(desk.sandbox.url))
    assert content.content == b"some bytes"
    client.delete(f"/rest/api/2/attachment/{made['id']}")
    assert client.status("GET", f"/rest/api/2/attachment/{made['id']}") == 404
