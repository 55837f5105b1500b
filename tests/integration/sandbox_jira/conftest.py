"""A sandbox of each flavour, and a client whose answers the vendor's specifications judge."""

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from jsonschema import Draft202012Validator
from requests.auth import HTTPBasicAuth

from connectors.jira.sandbox.server import JiraSandbox

SPECS = Path(__file__).resolve().parents[4] / "shared" / "specs"
_WORDS_OF_SCHEMAS = frozenset({"properties", "patternProperties"})

# Where the specifications contradict the vendor's own answers (reference: jira.md, part 5).
# (specification, pattern of "METHOD path status" or of the complaint) -> reason
EXEMPT: tuple[tuple[str, str, str], ...] = (
    ("*", r" 401 ", "401 is documented for some operations only; the site answers it on all"),
    ("*", r" 403 undocumented", "403 is documented for some operations only"),
    ("jira-cloud", r" 413 undocumented", "an issue that is full; told of some operations only"),
    ("*", r" 429 ", "429 is documented apart from the operations"),
    ("jira-cloud", r"/search 410 ", "removed after the specification was made (CHANGE-2046)"),
    ("jsm-cloud", r"/approval.* 412 ", "Data Center's refusal; the file describes Cloud"),
    ("*", r" 405 ", "methods that the path does not know are documented nowhere"),
    ("jira-cloud", r"GET .*/remotelink 200 : ", "an array on every site; one object with globalId"),
    ("jsm-cloud", r"/\{attachmentId\} 200 no JSON", "the bytes of a file, which it calls JSON"),
    ("jsm-cloud", r"GET .* 400 undocumented", "a page that is no number is refused everywhere"),
    (
        "jira-dc",
        r"PUT /api/2/issue/\{issueIdOrKey\} 404 ",
        "an issue that is not there is 404 here too",
    ),
    ("jira-dc", r"/comment 40[04] |/role/\{id\} 400 ", "refusals that the file leaves out"),
    ("jira-dc", r"fields/|renderedFields/", "DC types every field value as an object"),
    ("jira-dc", r"/properties/\{propertyKey\} 200 value", "DC types property values as strings"),
    (
        "jira-cloud",
        r"/filter/\{id\}.* 404 undocumented",
        "a filter that is not there is 404 on every Cloud site (jira.js's live suite)",
    ),
    ("jira-dc", r"/filter/\{id\}.* 400 undocumented", "the refusal of Data Center since 2012"),
    ("*", r"/filter/\{id\}.* 403 undocumented", "a filter that is only shared is not changed"),
    ("jira-cloud", r"position: 'The (column|row) position of", "properties named by their text"),
    (
        "jira-dc",
        r"/jql/autocompletedata 200 visible",
        "the file types the words as texts; clients and Cloud's file have them as objects",
    ),
    ("jira-cloud", r"GET /rest/api/3/user 400 undocumented", "without an account"),
    (
        "jira-dc",
        r"(Category|component|GET /api/2/user|/picker|/move) 400 undocumented",
        "refusals that the file leaves out: no name, no query, no place",
    ),
    ("jira-dc", r"/comment.* properties/\d+/value: ", "DC types property values as strings"),
    ("jira-dc", r"DELETE /api/2/mypreferences 404 ", "a key that is not there, as for GET"),
    ("jira-dc", r"/suggestions 400 undocumented", "a field that does not exist"),
    ("jira-cloud", r" 415 undocumented", "plain text for JSON is refused everywhere"),
    ("jira-cloud", r"/issue/watching 400 undocumented", "a list that is none is refused"),
    ("jira-dc", r"GET /api/2/screens 200 ", "the file says 201 of a list that is read"),
    ("jira-dc", r"/estimation 200 value: ", "DC types numbers of a field as objects"),
    ("jira-dc", r"/avatar/temporary 40[03] ", "a picture that is none is refused"),
    ("*", r"/version 400 undocumented", "an order or a page that is none is refused everywhere"),
    ("jira-dc", r"PUT /api/2/version/\{id\} 400 ", "a taken name (the vendor's own Java client)"),
    ("jira-dc", r"/project/type/\{projectTypeKey\} 404 ", "told of its /accessible alone"),
    ("jira-dc", r"POST .*/votes 204 |POST .*/remotelink 201 ", "documented by their text only"),
)


def _relaxed(node: Any) -> Any:
    """Drop what the examples of the specification contradict: closed objects, no nulls, formats."""
    if isinstance(node, list):
        return [_relaxed(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {
        name: (
            {key: _relaxed(one) for key, one in held.items()}
            if name in _WORDS_OF_SCHEMAS and isinstance(held, dict)
            else _relaxed(held)
        )
        for name, held in node.items()
        if name
        not in {"additionalProperties", "format", "example", "examples", "discriminator", "xml"}
    }
    if isinstance(node.get("additionalProperties"), dict):
        found["additionalProperties"] = _relaxed(node["additionalProperties"])
    if isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    if isinstance(found.get("enum"), list):
        found["enum"] = [*found["enum"], None]
    return found


class Specification:
    """One OpenAPI file, relaxed, with its operations found by path."""

    def __init__(self, name: str, prefix: str) -> None:
        raw = json.loads((SPECS / name).read_text("utf-8"))
        self.name = name
        self.components = _relaxed(copy.deepcopy(raw["components"]))
        self.operations: list[tuple[re.Pattern[str], str, dict[str, Any]]] = []
        for path, methods in sorted(raw["paths"].items(), key=lambda one: one[0].count("{")):
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(prefix + path))
            self.operations.append((re.compile(pattern), path, methods))

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        for pattern, template, methods in self.operations:
            if pattern.fullmatch(path) and method.lower() in methods:
                return template, methods[method.lower()]
        return None

    @functools.lru_cache(maxsize=400)  # noqa: B019 - lives as long as the test process
    def validator(self, template: str, method: str, status: str) -> Draft202012Validator | None:
        methods = next(one[2] for one in self.operations if one[1] == template)
        answers = methods[method]["responses"]
        answer = answers.get(status) or answers.get("default") or {}
        for media, content in (answer.get("content") or {}).items():
            if "json" in media or media == "*/*":
                schema = _relaxed(copy.deepcopy(content.get("schema", {})))
                return Draft202012Validator({**schema, "components": self.components})
        return None


@functools.cache
def specifications(flavour: str) -> list[Specification]:
    desk = Specification("jsm-cloud-v3.json", "")
    if flavour == "cloud":
        return [Specification("jira-cloud-platform-v3.json", ""), desk]
    return [Specification("jira-dc-10.3.json", "/rest"), desk]


def _media(answer: requests.Response) -> str:
    """The media type of an answer; a generated case's has lists for its headers."""
    held = {name.lower(): value for name, value in answer.headers.items()}
    found: Any = held.get("content-type", "")
    return str(found[0] if isinstance(found, list) else found).split(";")[0]


class Judge:
    """Compares answers with the specification and keeps what does not fit."""

    def __init__(self, flavour: str) -> None:
        self.flavour = flavour
        self.complaints: list[str] = []
        self.judged = 0

    def see_generated(self, answer: requests.Response) -> None:
        """Judge the shape of an answer to nonsense; any refusal may answer it."""
        kept = list(self.complaints)
        self.see(answer)
        fresh = [one for one in self.complaints if one not in kept]
        self.complaints = kept + [one for one in fresh if "undocumented status" not in one]

    def see(self, answer: requests.Response) -> None:
        path = str(answer.request.url).split("?", 1)[0].split("/", 3)[3]
        path = "/" + path.rstrip("/")
        if self.flavour == "cloud":
            path = path.replace("/rest/api/2/", "/rest/api/3/")
        method, status = str(answer.request.method), str(answer.status_code)
        for one in specifications(self.flavour):
            found = one.operation(method, path)
            if found is not None:
                self._check(one, found, method.lower(), status, answer)
                return

    def _check(
        self,
        spec: Specification,
        found: tuple[str, dict[str, Any]],
        method: str,
        status: str,
        answer: requests.Response,
    ) -> None:
        template, operation = found
        self.judged += 1
        where = f"{method.upper()} {template} {status} "
        responses = operation["responses"]
        if status not in responses and "default" not in responses:
            self._complain(spec, where, "undocumented status")
            return
        validator = spec.validator(template, method, status)
        if validator is None or not answer.content:
            return
        media = _media(answer)
        if "json" not in media and media in (responses.get(status, {}).get("content") or {}):
            return  # a picture, which the file describes beside JSON
        try:
            body = answer.json()
        except ValueError:
            self._complain(spec, where, f"no JSON: {answer.text[:80]!r}")
            return
        if (
            isinstance(body, list)
            and spec.name.startswith("jira-dc")
            and not validator.is_valid([])
        ):
            body_parts = body  # DC types arrays as their items
        else:
            body_parts = [body]
        for error in (each for one in body_parts for each in validator.iter_errors(one)):
            at = "/".join(map(str, error.absolute_path))
            self._complain(spec, where, f"{at}: {error.message[:200]}")

    def _complain(self, spec: Specification, where: str, text: str) -> None:
        complaint = f"{spec.name}: {where}{text}"
        for name, pattern, _reason in EXEMPT:
            concerns = name == "*" or spec.name.startswith(name)
            if concerns and re.search(pattern, complaint):
                return
        if complaint not in self.complaints:
            self.complaints.append(complaint)


class Client:
    """Talks to a sandbox as one of its accounts; every answer goes past the judge."""

    def __init__(self, sandbox: JiraSandbox, role: str | None, judge: Judge | None) -> None:
        self.sandbox = sandbox
        self.role = role
        self.judge = judge
        self.session = requests.Session()
        self.session.headers["X-ExperimentalApi"] = "opt-in"
        if role is not None:
            held = sandbox.accounts[role]
            self.session.auth = HTTPBasicAuth(held["username"], held["password"])
        self.verify = str(sandbox.ca_file) if sandbox.ca_file else True

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = self.session.request(
            method, self.sandbox.url + path, timeout=20, verify=self.verify, **arguments
        )
        assert answer.status_code < 500, (
            f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        )
        if self.judge is not None:
            self.judge.see(answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        answer = self.send("GET", path, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        answer = self.send("POST", path, json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def put(self, path: str, body: Any, status: int = 204) -> Any:
        answer = self.send("PUT", path, json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def delete(self, path: str, status: int = 204, **query: Any) -> None:
        answer = self.send("DELETE", path, params=query)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:500]}"

    def status(self, method: str, path: str, **arguments: Any) -> int:
        return self.send(method, path, **arguments).status_code

    def search(self, jql: str, fields: str = "key") -> list[str]:
        if self.sandbox.site.cloud:
            found = self.get("/rest/api/3/search/jql", jql=jql, fields=fields, maxResults=100)
        else:
            found = self.get("/rest/api/2/search", jql=jql, fields=fields, maxResults=100)
        return [one["key"] for one in found["issues"]]


class Desk:
    """A sandbox with a client per role and the request types by name."""

    def __init__(self, sandbox: JiraSandbox, judge: Judge | None) -> None:
        self.sandbox = sandbox
        self.cloud = sandbox.site.cloud
        self.judge = judge
        self._clients: dict[str | None, Client] = {}
        types = self.as_("admin").get("/rest/servicedeskapi/servicedesk/1/requesttype")["values"]
        self.request_types = {one["name"]: one["id"] for one in types}

    def as_(self, role: str | None) -> Client:
        if role not in self._clients:
            self._clients[role] = Client(self.sandbox, role, self.judge)
        return self._clients[role]

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.sandbox.admin_url + path, json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def raise_request(self, role: str, name: str, **values: Any) -> str:
        body = {
            "serviceDeskId": "1",
            "requestTypeId": self.request_types[name],
            "requestFieldValues": {"summary": name, **values},
        }
        key: str = self.as_(role).post("/rest/servicedeskapi/request", body)["issueKey"]
        return key

    def ops_issue(self, role: str = "integration", **fields: Any) -> str:
        held = {
            "project": {"key": "OPS"},
            "issuetype": {"name": "Bug"},
            "summary": "A bug",
            **fields,
        }
        key: str = self.as_(role).post("/rest/api/2/issue", {"fields": held})["key"]
        return key

    def move(self, key: str, name: str, role: str = "integration", **body: Any) -> None:
        client = self.as_(role)
        known = client.get(f"/rest/api/2/issue/{key}/transitions")["transitions"]
        number = next(one["id"] for one in known if one["name"] == name)
        client.post(
            f"/rest/api/2/issue/{key}/transitions", {"transition": {"id": number}, **body}, 204
        )

    def change_at_gate(self, name: str = "Request a change") -> str:
        key = self.raise_request("integration", name)
        self.move(key, "Plan")
        self.move(key, "Request approval")
        return key

    def approvals(self, key: str, role: str = "integration") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.as_(role).get(
            f"/rest/servicedeskapi/request/{key}/approval"
        )["values"]
        return found

    def answer(
        self, key: str, number: str, role: str, decision: str = "approve"
    ) -> requests.Response:
        path = f"/rest/servicedeskapi/request/{key}/approval/{number}"
        return self.as_(role).send("POST", path, json={"decision": decision})

    def state(self, key: str) -> str:
        issue = self.as_("admin").get(f"/rest/api/2/issue/{key}", fields="status")
        return str(issue["fields"]["status"]["name"])


@pytest.fixture(scope="session")
def specs_are_there(lacking: Callable[[str], NoReturn]) -> None:
    if not SPECS.is_dir():
        lacking(f"the vendor's specifications are not at {SPECS}")


def _desk(flavour: str) -> Iterator[Desk]:
    judge = Judge(flavour) if SPECS.is_dir() else None
    with JiraSandbox(None, "empty", flavour) as sandbox:  # type: ignore[arg-type]  # one of two words
        yield Desk(sandbox, judge)
    assert judge is None or not judge.complaints, "\n".join(judge.complaints)


@pytest.fixture(scope="module", params=["cloud", "datacenter"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Both flavours in turn; at the end every answer must have fitted the specification."""
    yield from _desk(request.param)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Desk]:
    yield from _desk("cloud")


@pytest.fixture(scope="module")
def server() -> Iterator[Desk]:
    yield from _desk("datacenter")
