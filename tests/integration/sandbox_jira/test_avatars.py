"""Avatars: stock lists, pictures as bytes, and uploads in one step or in three."""

import base64
from typing import Any

import pytest

from connectors.jira.sandbox.pictures import bitmap

PICTURE = bitmap(1)
NO_CHECK = {"X-Atlassian-Token": "no-check", "Content-Type": "image/png"}


def test_every_kind_has_stock_avatars_and_an_unknown_kind_an_empty_list(desk: Any) -> None:
    admin = desk.as_("admin")
    for kind in ("project", "issuetype", "user", "priority"):
        found = admin.send("GET", f"/rest/api/2/avatar/{kind}/system").json()["system"]
        assert found
        assert all(one["isSystemAvatar"] and not one["isDeletable"] for one in found)
    assert admin.send("GET", "/rest/api/2/avatar/nosuchtype/system").json() == {"system": []}


def test_something_that_does_not_exist_has_the_stock_avatars(desk: Any) -> None:
    found = desk.as_("admin").send(
        "GET", "/rest/api/2/universal_avatar/type/project/owner/99999999"
    ).json()  # fmt: skip
    assert found["system"]
    assert found["custom"] == []
    path = "/rest/api/2/universal_avatar/type/nosuchtype/owner/1"
    assert desk.as_("admin").status("GET", path) == 404


def test_the_address_of_an_avatar_leads_to_a_picture(desk: Any) -> None:
    admin = desk.as_("admin")
    project = admin.get("/rest/api/2/project/OPS")
    me = admin.get("/rest/api/2/myself")
    for address in (project["avatarUrls"]["48x48"], me["avatarUrls"]["16x16"]):
        answer = admin.session.get(address, timeout=20)
        assert answer.status_code == 200
        assert "avatarId=" in address
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert len(answer.content) > 50
    kind = admin.get("/rest/api/2/issuetype")[0]
    assert admin.session.get(kind["iconUrl"], timeout=20).status_code == 200
    missing = desk.sandbox.url + "/secure/viewavatar?avatarType=project&avatarId=7"
    assert admin.session.get(missing, timeout=20).status_code == 404


def test_cloud_serves_pictures_by_kind_by_avatar_and_by_owner(cloud: Any) -> None:
    admin = cloud.as_("admin")
    root = "/rest/api/3/universal_avatar/view/type/project"
    for path in (root, f"{root}/avatar/10400", f"{root}/owner/10001"):
        answer = admin.send("GET", path)
        assert answer.headers["content-type"].startswith("image/svg+xml")
    png = admin.send("GET", f"{root}/avatar/10400", params={"format": "png"})
    assert png.content.startswith(b"\x89PNG")
    assert png.headers["content-type"] == "image/png"
    assert admin.status("GET", f"{root}/avatar/99999999") == 404
    assert admin.status("GET", "/rest/api/3/universal_avatar/view/type/nosuch") == 404
    assert admin.status("GET", "/rest/api/3/universal_avatar/view/type/nosuch/owner/1") == 404


def test_cloud_takes_an_upload_in_one_step(cloud: Any) -> None:
    admin = cloud.as_("admin")
    path = "/rest/api/3/project/OPS/avatar2"
    answer = admin.send("POST", path, params={"x": 0, "y": 0}, data=PICTURE, headers=NO_CHECK)
    assert answer.status_code == 201
    number = answer.json()["id"]
    admin.put("/rest/api/3/project/OPS/avatar", {"id": number}, 204)
    found = admin.get("/rest/api/3/project/OPS/avatars")
    assert [(one["id"], one["isSelected"]) for one in found["custom"]] == [(number, True)]
    shown = admin.get("/rest/api/3/project/OPS")["avatarUrls"]["48x48"]
    assert f"avatarId={number}" in shown
    assert admin.session.get(shown, timeout=20).content == PICTURE
    assert admin.status("POST", path, data=b"no picture", headers=NO_CHECK) == 400
    assert admin.status("POST", path, data=PICTURE + b"x" * 3_000_000, headers=NO_CHECK) == 400
    admin.delete(f"/rest/api/3/project/OPS/avatar/{number}")
    assert admin.status("DELETE", f"/rest/api/3/project/OPS/avatar/{number}") == 404
    assert admin.get("/rest/api/3/project/OPS/avatars")["custom"] == []


def test_cloud_keeps_an_avatar_for_an_issue_type(cloud: Any) -> None:
    admin, agent = cloud.as_("admin"), cloud.as_("agent")
    path = "/rest/api/3/universal_avatar/type/issuetype/owner/10004"
    made = admin.send("POST", path, data=base64.b64encode(PICTURE), headers=NO_CHECK).json()
    assert [one["id"] for one in admin.get(path)["custom"]] == [made["id"]]
    assert agent.status("POST", path, data=PICTURE, headers=NO_CHECK) == 403
    admin.delete(f"{path}/avatar/{made['id']}")
    wrong = "/rest/api/3/universal_avatar/type/nosuch/owner/1"
    assert admin.status("POST", wrong, data=PICTURE, headers=NO_CHECK) == 404


@pytest.mark.parametrize("kind", ["project", "user"])
def test_data_center_keeps_a_picture_crops_it_and_chooses_it(server: Any, kind: str) -> None:
    admin = server.as_("admin")
    root = f"/rest/api/2/{kind if kind == 'user' else 'project/OPS'}"
    who = {"username": "admin"} if kind == "user" else {}
    asked = {**who, "size": len(PICTURE), "filename": "icon.png"}
    path = f"{root}/avatar/temporary"
    answer = admin.send("POST", path, params=asked, data=PICTURE, headers=NO_CHECK)
    crop = answer.json()
    assert answer.status_code == 201
    assert crop["needsCropping"] is True
    assert {"cropperOffsetX", "cropperOffsetY", "cropperWidth", "url"} <= set(crop)
    body = {**crop, "needsCropping": False}
    made = admin.send("POST", f"{root}/avatar", params=who, json=body).json()
    if kind == "user":
        assert made["owner"] == "admin"
    again = admin.send("POST", f"{root}/avatar", params=who, json=body)
    assert again.status_code == 400  # the picture was cropped already
    answer = admin.send("PUT", f"{root}/avatar", params=who, json={"id": made["id"]})
    assert answer.status_code in {200, 204}
    found = admin.send("GET", f"{root}/avatars", params=who).json()
    assert len(found["system"]) >= 20
    assert [one["id"] for one in found["custom"] if one["isSelected"]] == [made["id"]]
    stock = found["system"][1]["id"]
    admin.send("PUT", f"{root}/avatar", params=who, json={"id": stock})
    after = admin.send("GET", f"{root}/avatars", params=who).json()
    assert [one["id"] for one in after["system"] if one["isSelected"]] == [stock]
    wrong = admin.send("PUT", f"{root}/avatar", params=who, json={"id": "1"})
    assert wrong.status_code == 404
    gone = admin.send("DELETE", f"{root}/avatar/{made['id']}", params=who)
    assert gone.status_code == 204


def test_data_center_wants_the_token_the_size_and_the_right(server: Any) -> None:
    admin, agent = server.as_("admin"), server.as_("agent")
    path = "/rest/api/2/user/avatar/temporary"
    who = {"username": "admin"}
    plain = {"Content-Type": "image/png"}
    assert admin.status("POST", path, params=who, data=PICTURE, headers=plain) == 403
    wrong = {**who, "size": 1}
    assert admin.status("POST", path, params=wrong, data=PICTURE, headers=NO_CHECK) == 400
    assert agent.status("POST", path, params=who, data=PICTURE, headers=NO_CHECK) == 403
    nobody = {"username": "nobody"}
    assert admin.status("POST", path, params=nobody, data=PICTURE, headers=NO_CHECK) == 404
    path = "/rest/api/2/project/OPS/avatar/temporary"
    assert agent.status("POST", path, data=PICTURE, headers=NO_CHECK) == 403
