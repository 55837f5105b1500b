"""Example Corp as LDIF for slapd: the very entries that the sandbox directory holds."""

import base64
from datetime import datetime
from pathlib import Path

from connectors.ldap.sandbox.schema import SCHEMA
from connectors.ldap.sandbox.seed import ACCESS_LOG, plant
from connectors.ldap.sandbox.tree import Entry, Tree

_LEFT_OUT = {"memberof", "entrydn", "structuralobjectclass"}


def write_ldif(path: Path, now: datetime) -> None:
    """Write the directory to `path`, and the first record of its access log beside it."""
    tree = Tree(None)
    plant(tree, now, seed="demo")
    own = [entry for entry in tree.below("", 2) if not entry.dn.endswith(ACCESS_LOG)]
    log = list(tree.below(ACCESS_LOG, 2))
    path.write_text("\n".join(_ldif(entry) for entry in own), "utf-8")
    path.with_name(path.name + ".log").write_text("\n".join(_ldif(one) for one in log), "utf-8")


def _ldif(entry: Entry) -> str:
    lines = [f"dn: {entry.dn}"]
    for name, values in entry.values.items():
        if name in _LEFT_OUT:
            continue
        for value in values:
            plain = _password(entry).encode() if name == "userpassword" else value
            lines.append(f"{SCHEMA[name].name}:: {base64.b64encode(plain).decode()}")
    return "\n".join([*lines, ""])


def _password(entry: Entry) -> str:
    return f"{entry.dn.partition(',')[0].partition('=')[2]}-pw"
