"""Nonsense of every kind over sockets: always an answer, never a fault, never a wait."""

import json
import random
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.jira.sandbox.app import Table
from connectors.jira.sandbox.people import Flavour

ROUNDS = 400
WORDS = [
    "project", "=", "OPS", "AND", "OR", "NOT", "(", ")", "in", "not in", "is", "EMPTY", "was",
    "changed", "~", '"', "\\", "'", "status", "updated", "-1d", "now()", "startOfDay(", "ORDER BY",
    "key", ",", "after", "during", "membersOf(", "linkedIssues(", "x" * 300, "%", "\u0000", "😀",
    "99999999999999999999", "1e309", "cf[10010]", "sprint", "openSprints()", "2026-13-45", "[", "{",
    '"2026/01/01 25:61"', "&&", "||", "!", ">=", "text", "worklogAuthor", "parent",
]  # fmt: skip
NAMES = [
    "fields", "update", "summary", "project", "key", "id", "name", "issuetype", "description",
    "type", "content", "text", "attrs", "marks", "transition", "body", "properties", "visibility",
    "value", "jql", "issues", "maxResults", "labels", "add", "assignee", "timetracking", "worklog",
    "comment", "inwardIssue", "object", "sharePermissions", "position", "state", "startDate", "ids",
    "requestFieldValues", "decision", "columns", "queries", "filterId", "originBoardId", "group",
]  # fmt: skip
PLACES = ["OPS", "OPS-1", "1", "10001", "admin", "x", "9" * 20, "-1", "%00", "😀", "a%2Fb", "none"]


class Nonsense:
    """A reproducible source of values that nobody should send."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def query(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))

    def value(self, depth: int = 0) -> Any:
        kind = self.random.randint(0, 8 if depth < 5 else 4)
        if kind == 0:
            return self.random.choice([None, True, 0, -1, 2**63, 10**30, 1.5])
        if kind < 4:
            return self.random.choice(
                ["", "OPS", "\u0000", "a" * 70_000, "<script>", "\ud800", "10001", "OPS-1"]
            )
        if kind == 4:
            return self.query()
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 4))]
        names = self.random.choices(NAMES, k=self.random.randint(0, 5))
        return {name: self.value(depth + 1) for name in names}

    def document(self, depth: int = 0) -> Any:
        kinds = ["doc", "paragraph", "text", "heading", "table", "mention", "emoji", "nosuch", None]
        found: dict[str, Any] = {"type": self.random.choice(kinds), "version": 1}
        if self.random.random() < 0.6 and depth < 6:
            found["content"] = [self.document(depth + 1) for _ in range(self.random.randint(0, 3))]
        for name in ("text", "attrs", "marks"):
            if self.random.random() < 0.3:
                found[name] = self.value(4)
        return found

    def body(self) -> bytes:
        kind = self.random.randint(0, 5)
        if kind == 0:
            return bytes(self.random.randrange(256) for _ in range(50))
        if kind == 1:
            return b'{"a":' * self.random.choice([3, 5_000])
        if kind == 2:
            fields = {
                "project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "s",
                "description": self.document(),
            }  # fmt: skip
            return json.dumps({"fields": fields, "body": self.document()}).encode()
        return json.dumps(self.value()).encode()


# Before the nonsense, which may delete the project.
def test_a_number_of_many_digits_is_kept_and_given_back(desk: Any) -> None:
    admin = desk.as_("admin")
    path = "/rest/api/2/user/properties/large"
    assert admin.status("PUT", path, json={"n": 10**30}) in {200, 201}
    assert admin.get(path)["value"] == {"n": 10**30}
    issue = desk.ops_issue()
    path = f"/rest/api/2/issue/{issue}/properties/large"
    assert admin.status("PUT", path, json=10**30) == 201
    assert admin.send("GET", path).json()["value"] == 10**30


@pytest.mark.parametrize("seed", [1, 2])
def test_no_nonsense_is_answered_with_a_fault(desk: Any, seed: int) -> None:
    source = Nonsense(seed)
    flavour = Flavour.CLOUD if desk.cloud else Flavour.DATA_CENTER
    routes = [
        (one.method, one.pattern) for held in Table(flavour)._by_size.values() for _, one in held
    ]
    session = desk.as_("admin").session
    kinds = ["application/json", "text/plain", "multipart/form-data; boundary=x", ""]
    faults: list[str] = []
    for _ in range(ROUNDS):
        method, pattern = source.random.choice(routes)
        path = pattern.replace("{version}", source.random.choice(["2", "3", "latest"]))
        path = re.sub(r"\{\w+(:path)?\}", lambda _: source.random.choice(PLACES), path)
        query = {"jql": source.query(), "startAt": source.random.choice(["x", "-1", "9" * 20, "0"])}
        body = None if method == "GET" else source.body()
        answer = session.request(
            method, desk.sandbox.url + path, params=query, data=body, timeout=20,
            headers={"Content-Type": source.random.choice(kinds), "X-Atlassian-Token": "no-check"},
        )  # fmt: skip
        if answer.status_code >= 500:
            faults.append(f"{method} {path} {query} {body!r:.300}: {answer.text[:200]}")
    assert not faults, "\n".join(faults)


HEADERS = [
    b"Authorization: Basic\r\n",
    b"Authorization: Basic !!!\r\n",
    b"Authorization: Basic " + b"A" * 9_000 + b"\r\n",
    b"Authorization: Bearer \xff\xfe\r\n",
    b"Authorization: Digest x\r\n",
    b"Cookie: JSESSIONID=;;;\xff\r\n",
    b"Content-Type: application/json; charset=\xff\r\nContent-Length: 2\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: many\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"X-\xff: y\r\n",
    b"no colon at all\r\n",
    b"X-Long: " + b"y" * 80_000 + b"\r\n",
]


@pytest.mark.parametrize("header", HEADERS, ids=[repr(one[:30]) for one in HEADERS])
def test_a_malformed_header_is_refused_or_passed_over_and_nobody_waits(
    desk: Any, header: bytes
) -> None:
    place = urlsplit(desk.sandbox.url)
    head = b"POST /rest/api/2/issue HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=20) as stream:
        stream.sendall(head + header + b"\r\n")
        stream.shutdown(socket.SHUT_WR)
        answer = stream.recv(65_536)
    if answer:
        assert 400 <= int(answer.split(b" ", 2)[1]) < 500
    assert desk.as_("admin").status("GET", "/rest/api/2/serverInfo") == 200
