"""Ways in, batches, aggregates, tiny URLs, XML, sessions and rate limits."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

INCIDENT = "/api/now/table/incident"


def numbers(api: Api, query: str, table: str = "incident") -> list[str]:
    found = api.records(table, query, sysparm_fields="number")
    return [record["number"] for record in found]


def test_ways_in(sandbox: ServiceNowSandbox) -> None:
    url = f"{sandbox.url}{INCIDENT}?sysparm_limit=1"
    nobody = requests.get(url, timeout=10)
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'
    assert nobody.json()["error"]["message"] == "User is not authenticated"
    assert requests.get(url, auth=("tiergate", "wrong"), timeout=10).status_code == 401
    assert requests.get(url, headers={"Authorization": "Basic %%%"}, timeout=10).status_code == 401
    key = {"x-sn-apikey": "tiergate-key-pw"}
    assert requests.get(url, headers=key, timeout=10).ok
    assert requests.get(url, headers={"x-sn-apikey": "no"}, timeout=10).status_code == 401


def token(sandbox: ServiceNowSandbox, **form: str) -> requests.Response:
    client = {"client_id": "tiergate-client", "client_secret": "tiergate-client-pw"}
    return requests.post(f"{sandbox.url}/oauth_token.do", data={**client, **form}, timeout=10)


def test_tokens_of_the_three_grants(sandbox: ServiceNowSandbox) -> None:
    account = sandbox.accounts["integration"]
    password = {"grant_type": "password", "username": account.username}
    first = token(sandbox, **password, password=account.password).json()
    assert (first["token_type"], first["scope"]) == ("Bearer", "useraccount")
    again = token(sandbox, **password, password=account.password).json()
    assert again["access_token"] == first["access_token"]
    refreshed = token(
        sandbox, grant_type="refresh_token", refresh_token=first["refresh_token"]
    ).json()
    assert refreshed["access_token"]
    bare = token(sandbox, grant_type="client_credentials").json()
    assert "refresh_token" not in bare
    url = f"{sandbox.url}{INCIDENT}?sysparm_limit=1"
    bearer = {"Authorization": f"Bearer {bare['access_token']}"}
    assert requests.get(url, headers=bearer, timeout=10).ok
    admin_clock = f"{sandbox.admin_url}/clock"
    requests.post(admin_clock, json={"advance_seconds": 1801}, timeout=10)
    assert requests.get(url, headers=bearer, timeout=10).status_code == 401
    assert (
        token(sandbox, grant_type="client_credentials").json()["access_token"]
        != bare["access_token"]
    )


def test_a_client_may_identify_itself_by_basic_authentication(
    sandbox: ServiceNowSandbox,
) -> None:
    account = sandbox.accounts["integration"]
    form = {"grant_type": "password", "username": account.username, "password": account.password}
    url = f"{sandbox.url}/oauth_token.do"
    good = ("tiergate-client", "tiergate-client-pw")
    assert requests.post(url, data=form, auth=good, timeout=10).json()["access_token"]
    assert requests.post(url, data=form, auth=(good[0], "no"), timeout=10).status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "username": "tiergate", "password": "wrong"},
        {"grant_type": "client_credentials", "client_secret": "wrong"},
        {"grant_type": "refresh_token", "refresh_token": "made up"},
        {"grant_type": "implicit"},
        {},
    ],
)
def test_every_failure_of_a_token_reads_the_same(
    sandbox: ServiceNowSandbox, form: dict[str, str]
) -> None:
    answer = token(sandbox, **form)
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "server_error", "error_description": "access_denied"},
    )


def test_the_date_header_is_the_sandboxs_own(daemon: Api, sandbox: ServiceNowSandbox) -> None:
    seen = parsedate_to_datetime(daemon.get(INCIDENT).headers["Date"])
    record = daemon.create("incident", short_description="clock")
    assert abs((sandbox.clock.now() - seen).total_seconds()) < 5
    assert record["sys_created_on"][:16] == sandbox.clock.now().strftime("%Y-%m-%d %H:%M")


def test_batches_carry_reads_and_writes(daemon: Api) -> None:
    def item(number: str, method: str, url: str, body: object = None) -> dict[str, Any]:
        encoded = base64.b64encode(json.dumps(body).encode()).decode() if body else None
        return {"id": number, "method": method, "url": url, "body": encoded, "headers": []}

    answer = daemon.post(
        "/api/now/v1/batch",
        {
            "batch_request_id": 7,
            "rest_requests": [
                item("1", "POST", INCIDENT, {"short_description": "batched"}),
                item("2", "GET", f"{INCIDENT}?sysparm_query=short_description=batched"),
                item("3", "GET", f"{INCIDENT}/none"),
                item("4", "GET", "nonsense"),
            ],
        },
        200,
    )
    assert answer["batch_request_id"] == "7"
    serviced = {one["id"]: one for one in answer["serviced_requests"]}
    statuses = [serviced[number]["status_code"] for number in "1234"]
    assert statuses == [201, 200, 404, 400]
    assert len(json.loads(base64.b64decode(serviced["2"]["body"]))["result"]) == 1


def test_counts_and_sums(daemon: Api) -> None:
    path = "/api/now/stats/incident"
    query = "numberSTARTSWITHINC00000"
    count = daemon.get(path, sysparm_count="true", sysparm_query=query).json()
    assert count == {"result": {"stats": {"count": "3"}}}
    grouped = daemon.get(
        path,
        sysparm_count="true",
        sysparm_query=query,
        sysparm_group_by="state",
        sysparm_avg_fields="priority",
        sysparm_order_by="COUNT^DESC",
        sysparm_having="count^state^>^1",
        sysparm_display_value="all",
    ).json()["result"]
    assert grouped == [
        {
            "stats": {"count": "2", "avg": {"priority": "2.0000"}},
            "groupby_fields": [{"field": "state", "value": "2", "display_value": "In Progress"}],
        }
    ]


def test_answers_are_packed_for_who_takes_them_packed(daemon: Api) -> None:
    packed = daemon.get(INCIDENT)
    assert packed.headers["Content-Encoding"] == "gzip"
    plain = daemon.session.get(
        f"{daemon.url}{INCIDENT}", headers={"Accept-Encoding": "identity"}, timeout=10
    )
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == packed.json()


def test_tiny_urls_stand_for_long_ones(daemon: Api) -> None:
    url = f"{daemon.url}/incident_list.do?sysparm_query=number=INC0000015&sysparm_fields=number"
    tiny = daemon.post("/api/now/tinyurl", {"url": url}, 200)["result"]
    page, _, name = tiny.partition("?sysparm_tiny=")
    assert page == "incident_list.do"
    found = daemon.get(INCIDENT, sysparm_tiny=name).json()["result"]
    assert found == [{"number": "INC0000015"}]
    daemon.get(INCIDENT, 400, sysparm_tiny="unknown")


def test_xml_is_spoken_too(daemon: Api) -> None:
    headers = {"Accept": "application/xml", "Content-Type": "application/xml"}
    body = "<request><entry><short_description>a &lt; b</short_description></entry></request>"
    made = daemon.session.post(f"{daemon.url}{INCIDENT}", data=body, headers=headers, timeout=10)
    assert made.status_code == 201
    assert "<short_description>a &lt; b</short_description>" in made.text
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><request><entry><x>&a;</x></entry></request>'
    answer = daemon.session.post(f"{daemon.url}{INCIDENT}", data=bomb, headers=headers, timeout=10)
    assert answer.status_code == 400


def test_parallel_requests_of_one_session_are_dropped_without_effect(
    daemon: Api, sandbox: ServiceNowSandbox
) -> None:
    account = sandbox.accounts["integration"]
    requests.post(
        f"{sandbox.admin_url}/faults", json={"kind": "latency", "seconds": 0.05}, timeout=10
    )

    def post(index: int) -> int:
        return requests.post(
            f"{sandbox.url}{INCIDENT}",
            json={"short_description": f"parallel {index}"},
            auth=(account.username, account.password),
            cookies={"JSESSIONID": "ONE"},
            timeout=30,
        ).status_code

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(post, range(40)))
    requests.delete(f"{sandbox.admin_url}/faults", timeout=10)
    assert set(statuses) == {201, 202}
    made = numbers(daemon, "short_descriptionSTARTSWITHparallel")
    assert len(made) == statuses.count(201)


def test_rate_rules_refuse_with_a_lag(
    sandbox: ServiceNowSandbox, admin: Api, log_in: Callable[[str], Api]
) -> None:
    agent = log_in("agent2")
    user = admin.records("sys_user", "user_name=ada.tuter")[0]["sys_id"]
    rule = admin.create("sys_rate_limit_rules", name="r", rate_limit_per_hour="3", user=user)
    for _ in range(5):
        seen = agent.get(INCIDENT, sysparm_limit=1)
        assert seen.headers["X-RateLimit-Limit"] == "3"
        assert seen.headers["X-RateLimit-Rule"] == rule["sys_id"]
    requests.post(f"{sandbox.admin_url}/clock", json={"advance_seconds": 31}, timeout=10)
    refused = agent.get(INCIDENT, 429, sysparm_limit=1)
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"]["detail"] == (
        "Rate limit of 3 requests per hour for Table API exceeded"
    )
    admin.change("sys_rate_limit_rules", rule["sys_id"], active="false")
    assert "X-RateLimit-Limit" not in agent.get(INCIDENT).headers
