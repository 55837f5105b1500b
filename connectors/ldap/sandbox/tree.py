"""The entries of the sandbox directory, in memory, and in one file where it has a folder."""

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from connectors.ldap.sandbox.schema import SCHEMA, dn_key, fold


@dataclass(slots=True, kw_only=True)
class Entry:
    """One entry; attribute names are lower case."""

    dn: str
    values: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])

    def get(self, name: str) -> list[bytes]:
        """Return the values of an attribute."""
        return self.values.get(name.lower(), [])

    def text(self, name: str) -> str:
        """Return the first value as text, "" where there is none."""
        values = self.get(name)
        return values[0].decode("utf-8") if values else ""

    def put(self, name: str, *values: str) -> None:
        """Replace the values of an attribute; none removes it."""
        if values:
            self.values[name.lower()] = [value.encode() for value in values]
        else:
            self.values.pop(name.lower(), None)

    def holds(self, name: str, value: bytes) -> bool:
        """Whether the attribute has an equal value."""
        wanted = fold(name, value)
        return any(fold(name, one) == wanted for one in self.get(name))

    def copy(self) -> "Entry":
        """Return a copy to work on."""
        return Entry(dn=self.dn, values={name: list(vals) for name, vals in self.values.items()})


def stamp(moment: datetime) -> str:
    """Return a moment as the directory writes times."""
    return moment.strftime("%Y%m%d%H%M%SZ")


class Tree:
    """All entries; every access is made under `lock`."""

    def __init__(self, file: Path | None) -> None:
        self.lock = threading.RLock()
        self._file = file
        self._entries: dict[str, Entry] = {}

    def load(self) -> bool:
        """Read the file; return whether there was one."""
        if self._file is None or not self._file.exists():
            return False
        raw = json.loads(self._file.read_text("utf-8"))
        for dn, values in raw.items():
            decoded = {n: [base64.b64decode(v) for v in vals] for n, vals in values.items()}
            self._entries[dn_key(dn)] = Entry(dn=dn, values=decoded)
        return True

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self._file is None:
            return
        with self.lock:
            raw = {
                entry.dn: {
                    name: [base64.b64encode(value).decode() for value in values]
                    for name, values in entry.values.items()
                }
                for entry in self._entries.values()
            }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(raw), "utf-8")
        draft.replace(self._file)

    def get(self, dn: str) -> Entry | None:
        """Return the entry with this name."""
        return self._entries.get(dn_key(dn))

    def below(self, dn: str, scope: int) -> Iterator[Entry]:
        """Return the entries of a search's scope (0 base, 1 one level, 2 subtree)."""
        base = dn_key(dn)
        for key, entry in list(self._entries.items()):
            is_below = key.endswith("," + base) or not base
            is_child = is_below and "," not in key.removesuffix("," + base)
            if (
                (key == base and scope != 1)
                or (scope == 1 and is_child)
                or (scope == 2 and is_below)  # noqa: PLR2004  RFC 4511's number, said above
            ):
                yield entry

    def put(self, entry: Entry) -> None:
        """Store an entry in the place of the one with its name."""
        self._entries[dn_key(entry.dn)] = entry

    def remove(self, dn: str) -> None:
        """Remove an entry."""
        del self._entries[dn_key(dn)]

    def create(self, dn: str, now: datetime, creator: str, values: dict[str, list[str]]) -> Entry:
        """Store a new entry with the attributes that the server adds."""
        entry = Entry(dn=dn)
        for name, texts in values.items():
            entry.put(name, *texts)
        entry.put("entryUUID", entry.text("entryUUID") or str(uuid.uuid4()))
        entry.put("structuralObjectClass", (values.get("objectClass") or ["top"])[0])
        for name in ("createTimestamp", "modifyTimestamp"):
            entry.put(name, stamp(now))
        for name in ("creatorsName", "modifiersName"):
            entry.put(name, creator)
        self.put(entry)
        return entry


def spelled(name: str) -> str:
    """Return an attribute's name as the schema writes it."""
    attribute = SCHEMA.get(name.lower())
    return attribute.name if attribute else name
