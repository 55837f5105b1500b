"""Avatars over the API: stock lists, uploads in one step (Cloud) or three (Data Center)."""

import base64
import binascii
from http import HTTPStatus

from connectors.jira.sandbox import pictures
from connectors.jira.sandbox.api_projects import visible_project
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
)

routes = Routes()
secure_routes = Routes(prefix="/secure")
_LARGEST = 2 * 1024 * 1024
_DIGITS = 9


@routes.on("GET", "/avatar/{type}/system")
def stock(call: Call) -> Json:
    """Return the stock avatars of a kind; an unknown kind has none, which is no error."""
    kind = call.path["type"]
    known = pictures.STOCK.get(kind, ())
    return {"system": [pictures.bean(call, kind, one, None, None) for one in known]}


def _both(call: Call, kind: str, owner: str, selected: int | None) -> Row:
    shown = owner if kind != "user" else _login(call, owner)
    own = [
        pictures.bean(call, kind, one, shown, selected)
        for one in pictures.uploaded(call, kind, owner)
    ]
    system = [pictures.bean(call, kind, one, None, selected) for one in pictures.STOCK[kind]]
    return {"system": system, "custom": own}


def _login(call: Call, owner: str) -> str:
    account = call.people.by_id(owner)
    return owner if account is None or call.cloud else account.name


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) <= _DIGITS else -1


# --- who owns an avatar, and who may change it


def _project(call: Call, ref: str) -> str:
    row = visible_project(call, ref)
    if call.method != "GET" and not call.may("ADMINISTER_PROJECTS", row["id"]):
        raise forbidden("You do not have permission to administer this project.")
    return str(row["id"])


def _user(call: Call, name: str | None) -> str:
    found = call.people.by_name(name) if name else call.user
    if found is None:
        raise not_found(f"The user with the username '{name}' does not exist")
    if call.method != "GET" and found.id != call.user.id and not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to change the avatar of this user.")
    return found.id


def _owner(call: Call, kind: str, ref: str) -> str:
    if kind == "project":
        return _project(call, ref)
    if kind not in pictures.STOCK:
        raise not_found(f"The avatar type '{kind}' does not exist.")
    if call.method != "GET" and not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to change this avatar.")
    return ref


def _picture(call: Call) -> tuple[str, bytes]:
    """Return the picture in a body: bytes, or base64 of them in the form of the older clients."""
    content = call.raw
    if len(content) > _LARGEST:
        raise bad_request("The avatar is too large.")
    media = pictures.media_of(content)
    if media is None:
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error:
            content = b""
        media = pictures.media_of(content)
    if media is None:
        raise bad_request("The picture could not be read: PNG, JPEG and GIF are.")
    return media, content


# --- projects


@routes.on("GET", "/project/{project}/avatars")
def project_avatars(call: Call) -> Json:
    """Return the stock and the uploaded avatars of a project."""
    owner = _project(call, call.path["project"])
    return _both(call, "project", owner, pictures.chosen(call, "project", owner))


def _known(call: Call, kind: str, owner: str, number: int) -> int:
    if number in pictures.STOCK[kind] or number in pictures.uploaded(call, kind, owner):
        return number
    raise not_found(f"The avatar with id '{number}' does not exist.")


def _set(call: Call, kind: str, owner: str) -> Row:
    number = _number(str(call.json().get("id")))
    pictures.choose(call, kind, owner, _known(call, kind, owner, number))
    shown = owner if kind != "user" else _login(call, owner)
    return pictures.bean(call, kind, number, shown, number)


@routes.on("PUT", "/project/{project}/avatar")
def put_project_avatar(call: Call) -> Json:
    """Choose the avatar of a project."""
    _set(call, "project", _project(call, call.path["project"]))
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/project/{project}/avatar2", flavours=CLOUD_ONLY)
def upload_project_avatar(call: Call) -> Json:
    """Upload an avatar of a project in one step; the query says which square of it counts."""
    owner = _project(call, call.path["project"])
    return _uploaded(call, "project", owner)


def _uploaded(call: Call, kind: str, owner: str) -> Reply:
    as_int(call.query.get("x"), 0, name="x")
    as_int(call.query.get("y"), 0, name="y")
    media, content = _picture(call)
    number = pictures.keep(call, kind, owner, media, content)
    bean = pictures.bean(call, kind, number, owner, None)
    return Reply(status=HTTPStatus.CREATED, body=bean)


def _deleted(call: Call, kind: str, owner: str) -> Reply:
    number = _number(call.path["id"])
    if number not in pictures.uploaded(call, kind, owner):
        raise not_found(f"The avatar with id '{call.path['id']}' does not exist.")
    pictures.remove(call, number)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/project/{project}/avatar/{id}")
def delete_project_avatar(call: Call) -> Json:
    """Remove an uploaded avatar of a project."""
    return _deleted(call, "project", _project(call, call.path["project"]))


# --- any kind (Cloud)


@routes.on("GET", "/universal_avatar/type/{type}/owner/{owner}")
def avatars(call: Call) -> Json:
    """Return the avatars for something; what does not exist has all the stock ones."""
    kind, owner = call.path["type"], call.path["owner"]
    if kind not in pictures.STOCK:
        raise not_found(f"The avatar type '{kind}' does not exist.")
    return _both(call, kind, owner, pictures.chosen(call, kind, owner))


@routes.on("POST", "/universal_avatar/type/{type}/owner/{owner}", flavours=CLOUD_ONLY)
def upload_avatar(call: Call) -> Json:
    """Upload an avatar for something."""
    kind = call.path["type"]
    return _uploaded(call, kind, _owner(call, kind, call.path["owner"]))


@routes.on("DELETE", "/universal_avatar/type/{type}/owner/{owner}/avatar/{id}")
def delete_avatar(call: Call) -> Json:
    """Remove an uploaded avatar."""
    kind = call.path["type"]
    reply = _deleted(call, kind, _owner(call, kind, call.path["owner"]))
    return reply if call.cloud else Reply()


@routes.on("GET", "/universal_avatar/view/type/{type}", anonymous=True, flavours=CLOUD_ONLY)
def default_image(call: Call) -> Json:
    """Return the picture of the default avatar of a kind."""
    return _image(call, call.path["type"], None)


@routes.on(
    "GET", "/universal_avatar/view/type/{type}/avatar/{id}", anonymous=True, flavours=CLOUD_ONLY
)
def image(call: Call) -> Json:
    """Return the picture of an avatar."""
    return _image(call, call.path["type"], _number(call.path["id"]))


@routes.on(
    "GET", "/universal_avatar/view/type/{type}/owner/{owner}", anonymous=True, flavours=CLOUD_ONLY
)
def owners_image(call: Call) -> Json:
    """Return the picture of the avatar that something has."""
    kind = call.path["type"]
    if kind not in pictures.STOCK:
        raise not_found(f"The avatar type '{kind}' does not exist.")
    return _image(call, kind, pictures.chosen(call, kind, call.path["owner"]))


def _image(call: Call, kind: str, number: int | None) -> Reply:
    known = pictures.STOCK.get(kind)
    if known is None:
        raise not_found(f"The avatar type '{kind}' does not exist.")
    number = known[0] if number is None else number
    row = call.store.row("SELECT * FROM avatar WHERE id=?", number)
    if row is not None:
        return Reply(body=row["content"], media=row["media"])
    if number not in known:
        raise not_found(f"The avatar with id '{number}' does not exist.")
    if call.query.get("format", "svg") == "png":
        return Reply(body=pictures.bitmap(number), media="image/png")
    return Reply(body=pictures.drawing(number), media="image/svg+xml")


@secure_routes.on("GET", "/projectavatar", "/useravatar", "/viewavatar", anonymous=True)
def secure_image(call: Call) -> Json:
    """Return the picture behind the addresses that projects, users and types show."""
    path = call.target.split("?", 1)[0]
    kind = "user" if "useravatar" in path else call.query.get("avatarType", "project")
    given = call.query.get("avatarId", "")
    return _image(call, kind, _number(given) if given else None)


# --- three steps (Data Center): a temporary picture, the crop, the choice


def _temporary(call: Call, kind: str, owner: str) -> Reply:
    if call.headers.get("x-atlassian-token", "").lower() not in {"no-check", "nocheck"}:
        raise forbidden("XSRF check failed")
    media, content = _picture(call)
    size = call.query.get("size")
    if size and as_int(size, 0, name="size") != len(call.raw):
        raise bad_request("The size given is not that of the picture.")
    held = {"media": media, "content": base64.b64encode(content).decode()}
    name = f"avatar.{kind}.{owner}"
    call.store.run("INSERT OR REPLACE INTO site VALUES (?, ?)", name, dumps(held))
    crop = {
        "cropperWidth": 120,
        "cropperOffsetX": 50,
        "cropperOffsetY": 50,
        "url": f"{call.site.url}/secure/temporaryavatar?cropped=true",
        "needsCropping": True,
    }
    return Reply(status=HTTPStatus.CREATED, body=crop)


def _cropped(call: Call, kind: str, owner: str) -> Reply:
    call.json()
    name = f"avatar.{kind}.{owner}"
    held = loads(call.store.value("SELECT value FROM site WHERE name=?", name))
    if held is None:
        raise bad_request("There is no temporary avatar to crop.")
    call.store.run("DELETE FROM site WHERE name=?", name)
    content = base64.b64decode(held["content"])
    number = pictures.keep(call, kind, owner, held["media"], content)
    shown = owner if kind != "user" else _login(call, owner)
    bean = pictures.bean(call, kind, number, shown, None)
    return Reply(status=HTTPStatus.CREATED, body=bean)


@routes.on("POST", "/project/{project}/avatar/temporary", flavours=DATA_CENTER_ONLY)
def temporary_project_avatar(call: Call) -> Json:
    """Keep a picture for a project until it is cropped."""
    return _temporary(call, "project", _project(call, call.path["project"]))


@routes.on("POST", "/project/{project}/avatar", flavours=DATA_CENTER_ONLY)
def crop_project_avatar(call: Call) -> Json:
    """Make an avatar of the picture that was kept."""
    return _cropped(call, "project", _project(call, call.path["project"]))


@routes.on("GET", "/user/avatars", flavours=DATA_CENTER_ONLY)
def user_avatars(call: Call) -> Json:
    """Return the stock and the uploaded avatars of a user."""
    owner = _user(call, call.query.get("username"))
    return _both(call, "user", owner, pictures.chosen(call, "user", owner))


@routes.on("POST", "/user/avatar/temporary", flavours=DATA_CENTER_ONLY)
def temporary_user_avatar(call: Call) -> Json:
    """Keep a picture for a user until it is cropped."""
    return _temporary(call, "user", _user(call, call.query.get("username")))


@routes.on("POST", "/user/avatar", flavours=DATA_CENTER_ONLY)
def crop_user_avatar(call: Call) -> Json:
    """Make an avatar of the picture that was kept."""
    return _cropped(call, "user", _user(call, call.query.get("username")))


@routes.on("PUT", "/user/avatar", flavours=DATA_CENTER_ONLY)
def put_user_avatar(call: Call) -> Json:
    """Choose the avatar of a user."""
    return _set(call, "user", _user(call, call.query.get("username")))


@routes.on("DELETE", "/user/avatar/{id}", flavours=DATA_CENTER_ONLY)
def delete_user_avatar(call: Call) -> Json:
    """Remove an uploaded avatar of a user."""
    return _deleted(call, "user", _user(call, call.query.get("username")))
