"""Service Management: files of requests, subscriptions, feedback, customers, properties."""

from typing import Any

_API = "/rest/servicedeskapi"
_UPLOAD = {"X-Atlassian-Token": "no-check"}


def _upload(desk: Any, role: str, *files: tuple[str, bytes, str]) -> list[str]:
    answer = desk.as_(role).send(
        "POST",
        f"{_API}/servicedesk/1/attachTemporaryFile",
        files=[("file", one) for one in files],
        headers=_UPLOAD,
    )
    assert answer.status_code == 201, answer.text
    held = answer.json()["temporaryAttachments"]
    assert [one["fileName"] for one in held] == [one[0] for one in files]
    return [one["temporaryAttachmentId"] for one in held]


def test_files_wait_at_the_desk_and_come_to_a_request_with_a_comment(desk: Any) -> None:
    key, customer = desk.raise_request("requester", "Get IT help"), desk.as_("requester")
    waiting = _upload(
        desk, "requester", ("log.txt", b"x" * 2048, "text/plain"), ("a.png", b"p", "image/png")
    )
    body = {
        "temporaryAttachmentIds": waiting,
        "public": True,
        "additionalComment": {"body": "Both of them"},
    }
    path = f"{_API}/request/{key}/attachment"
    made = customer.post(path, body)
    assert made["comment"]["body"] == "Both of them [^log.txt] _(2 kB)_ !a.png|thumbnail!"
    assert made["comment"]["public"] is True
    assert {one["filename"] for one in made["attachments"]["values"]} == {"log.txt", "a.png"}
    listed = customer.get(path)["values"]
    assert [(one["filename"], one["size"]) for one in listed] == [("a.png", 1), ("log.txt", 2048)]
    number = listed[1]["_links"]["self"].rsplit("/", 1)[1]
    assert customer.send("GET", f"{path}/{number}").content == b"x" * 2048
    came = customer.get(f"{_API}/request/{key}/comment/{made['comment']['id']}/attachment")
    assert came["size"] == 2
    field = desk.as_("agent").get(f"/rest/api/2/issue/{key}", fields="attachment")["fields"]
    assert [one["filename"] for one in field["attachment"]] == ["log.txt", "a.png"]
    assert customer.status("POST", path, json=body) == 400, "a file comes once"


def test_a_customer_does_not_see_what_agents_keep_among_themselves(desk: Any) -> None:
    key, agent = desk.raise_request("requester", "Get IT help"), desk.as_("agent")
    path = f"{_API}/request/{key}/attachment"
    waiting = _upload(desk, "agent", ("secret.txt", b"s", "text/plain"))
    made = agent.post(path, {"temporaryAttachmentIds": waiting, "public": False})
    agent.send(
        "POST",
        f"/rest/api/2/issue/{key}/attachments",
        files={"file": ("note.txt", b"n")},
        headers=_UPLOAD,
    )
    assert agent.get(path)["size"] == 2
    customer = desk.as_("requester")
    assert customer.get(path)["values"] == []
    number = agent.get(path)["values"][1]["_links"]["self"].rsplit("/", 1)[1]
    assert customer.status("GET", f"{path}/{number}") == 404
    comment = made["comment"]["id"]
    assert customer.status("GET", f"{_API}/request/{key}/comment/{comment}/attachment") == 404
    mine = _upload(desk, "requester", ("a.txt", b"a", "text/plain"))
    internal = {"temporaryAttachmentIds": mine, "public": False}
    assert customer.status("POST", path, json=internal) == 403


def test_files_of_others_and_bodies_without_files_are_refused(desk: Any) -> None:
    key, customer = desk.raise_request("requester", "Get IT help"), desk.as_("requester")
    path = f"{_API}/request/{key}/attachment"
    foreign = _upload(desk, "agent", ("a.txt", b"a", "text/plain"))
    wrong: tuple[dict[str, list[str]], ...] = (
        {"temporaryAttachmentIds": foreign},
        {"temporaryAttachmentIds": []},
        {},
    )
    for asked in wrong:
        assert customer.status("POST", path, json=asked) == 400
    upload = f"{_API}/servicedesk/1/attachTemporaryFile"
    assert customer.status("POST", upload, files={"file": ("a.txt", b"a")}) == 403
    assert customer.status("POST", upload.replace("/1/", "/99/"), headers=_UPLOAD) == 404


def test_whoever_may_see_a_request_says_whether_to_be_told_of_it(desk: Any) -> None:
    key = desk.raise_request("requester", "Get IT help")
    path = f"{_API}/request/{key}/notification"
    for role, before in (("requester", True), ("agent", False)):
        one = desk.as_(role)
        assert one.get(path) == {"subscribed": before}
        one.delete(path)
        assert one.get(path) == {"subscribed": False}
        one.put(path, {})
        assert one.get(path) == {"subscribed": True}


def test_the_reporter_alone_rates_a_request(desk: Any) -> None:
    key, customer = desk.raise_request("requester", "Get IT help"), desk.as_("requester")
    path = f"{_API}/request/{key}/feedback"
    given = {"type": "csat", "rating": 4, "comment": {"body": "Great work!"}}
    assert customer.status("GET", path) == 404
    assert customer.post(path, given) == given
    assert desk.as_("agent").get(path) == given
    assert desk.as_("agent").status("POST", path, json=given) == 403
    for wrong in ({"rating": 6}, {"rating": True}, {"rating": "4"}, {"type": "nps"}):
        assert customer.status("POST", path, json=given | wrong) == 400
    customer.delete(path)
    assert customer.status("GET", path) == 404


def test_agents_add_customers_to_a_desk_and_take_them_away(desk: Any) -> None:
    agent = desk.as_("agent")
    mail = f"new.{'c' if desk.cloud else 's'}@example.org"
    made = agent.post(f"{_API}/customer", {"email": mail, "displayName": "New", "fullName": "New"})
    body = {"accountIds": [made["accountId"]]} if desk.cloud else {"usernames": [made["name"]]}
    path = f"{_API}/servicedesk/1/customer"
    agent.post(path, body, 204)
    assert agent.send("DELETE", path, json=body).status_code == 204
    unknown = {"accountIds" if desk.cloud else "usernames": ["nobody"]}
    assert agent.status("POST", path, json=unknown) == 400
    assert desk.as_("requester").status("POST", path, json=body) == 403


def test_an_organisation_has_properties(desk: Any) -> None:
    agent = desk.as_("agent")
    number = agent.post(f"{_API}/organization", {"name": "Props"})["id"]
    path = f"{_API}/organization/{number}/property"
    value = {"tier": [1, None]}
    assert agent.send("PUT", f"{path}/sla", json=value).status_code == 201
    assert agent.send("PUT", f"{path}/sla", json=value).status_code == 200
    assert [one["key"] for one in agent.get(path)["keys"]] == ["sla"]
    assert agent.get(f"{path}/sla") == {"key": "sla", "value": value}
    agent.delete(f"{path}/sla")
    assert agent.status("GET", f"{path}/sla") == 404
    assert desk.as_("requester").status("GET", path) == 403


def test_a_site_without_confluence_knows_no_articles(desk: Any) -> None:
    for path in (f"{_API}/knowledgebase/article", f"{_API}/servicedesk/1/knowledgebase/article"):
        found = desk.as_("requester").get(path, query="vpn", highlight="false")
        assert (found["size"], found["isLastPage"]) == (0, True)
        assert desk.as_("requester").status("GET", path) == 400
