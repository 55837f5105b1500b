"""Avatars: the stock ones of each kind, those that people upload, and which one is chosen."""

import struct
import zlib
from collections.abc import Mapping

from connectors.jira.sandbox.people import AVATAR_SIZES
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Row

STOCK: Mapping[str, range] = {
    "project": range(10400, 10426),
    "user": range(10334, 10358),
    "issuetype": range(10300, 10322),
    "priority": range(10550, 10562),
}
"""The ids of the stock avatars by kind."""
_FIRST_CUSTOM = 10800
_SMALLEST = 16
_SIDE = 48
_COLOURS = ("#0052cc", "#00875a", "#de350b", "#5243aa", "#ff991f", "#00a3bf", "#403294", "#344563")


def chosen(call: Call, kind: str, owner: str) -> int:
    """Return the id of the avatar that something has."""
    place = ("avatars", "chosen")
    held = call.memo.get(place)
    if held is None:
        rows = call.store.rows("SELECT * FROM avatar_choice")
        held = call.memo[place] = {(row["kind"], row["owner"]): row["avatar"] for row in rows}
    found = held.get((kind, owner))
    if found is not None:
        return int(found)
    stock = STOCK[kind]
    return stock[zlib.crc32(owner.encode()) % len(stock)]


def choose(call: Call, kind: str, owner: str, number: int) -> None:
    """Give something an avatar."""
    row = {"kind": kind, "owner": owner, "avatar": number}
    call.store.insert_or_replace("avatar_choice", row)
    call.memo.pop(("avatars", "chosen"), None)


def keep(call: Call, kind: str, owner: str, media: str, content: bytes) -> int:
    """Keep an uploaded avatar and return its id."""
    number = call.store.counter("avatar", _FIRST_CUSTOM)
    row = {"id": number, "kind": kind, "owner": owner, "media": media, "content": content}
    call.store.insert("avatar", row)
    return number


def remove(call: Call, number: int) -> None:
    """Remove an uploaded avatar; who had it goes back to a stock one."""
    call.store.run("DELETE FROM avatar WHERE id=?", number)
    call.store.run("DELETE FROM avatar_choice WHERE avatar=?", number)


def uploaded(call: Call, kind: str, owner: str) -> list[int]:
    """Return the ids of the avatars that were uploaded for something."""
    sql = "SELECT id FROM avatar WHERE kind=? AND owner=? ORDER BY id"
    return [row["id"] for row in call.store.rows(sql, kind, owner)]


def bean(call: Call, kind: str, number: int, owner: str | None, selected: int | None) -> Row:
    """Return an avatar as the vendor lists it."""
    stock = number in STOCK.get(kind, ())
    base = f"{call.site.url}/secure/{'viewavatar' if kind != 'user' else 'useravatar'}"
    tail = "" if kind == "user" else f"&avatarType={kind}"
    sizes = ((size, size.split("x")[0]) for size in AVATAR_SIZES)
    if call.cloud:
        root = f"{call.site.url}/rest/api/{call.version}/universal_avatar/view/type/{kind}"
        urls = {size: f"{root}/avatar/{number}?size={size}" for size, _ in sizes}
    else:
        urls = {size: f"{base}?size={side}&avatarId={number}{tail}" for size, side in sizes}
    found: Row = {
        "id": str(number),
        "isSystemAvatar": stock,
        "isSelected": number == selected,
        "isDeletable": not stock,
        "urls": urls,
    }
    if not stock and owner is not None:
        found["owner"] = owner
    if not call.cloud:
        found["selected"] = number == selected
    return found


def drawing(number: int) -> bytes:
    """Return the picture of a stock avatar: a disc in the colour of its number."""
    colour = _COLOURS[number % len(_COLOURS)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" viewBox="0 0 48 48">'
        f'<circle cx="24" cy="24" r="24" fill="{colour}"/>'
        f'<circle cx="24" cy="{18 + number % 7}" r="{7 + number % 3}" fill="#ffffff"/></svg>'
    ).encode()


def bitmap(number: int) -> bytes:
    """Return the picture of a stock avatar as PNG: a square in the colour of its number."""
    colour = bytes.fromhex(_COLOURS[number % len(_COLOURS)][1:])
    rows = b"".join(b"\0" + colour * _SIDE for _ in range(_SIDE))
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


_MAGIC: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
}


def media_of(content: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, or None where it is none."""
    for magic, media in _MAGIC.items():
        if content.startswith(magic):
            return media
    return None
