"""The demo's own configuration: the same two files that an admin edits."""

import io
import secrets
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

_PASSWORD_RESET = "29a39e830a0a0b27007d1e200ad52253"  # noqa: S105  a catalog item's public sys_id
_HEADER = """\
# The demo's own tier map: the shipped one, but every action runs by itself (phase automatic), the
# year-end freeze is lifted, and ServiceNow's catalog item "Password Reset" means reset_password.
"""


def write_files(folder: Path, world: Mapping[str, Any]) -> Path:
    """Write `tiergate.yaml`, `tiers.yaml` and their secrets; return the first one's path."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    servicenow = world["servicenow"]["accounts"]["integration"]
    for name, value in {
        "servicenow_user": servicenow["username"],
        "servicenow": servicenow["password"],
        "jira": world["jira"]["accounts"]["integration"]["password"],
        "ldap": world["ldap"]["accounts"]["integration"]["password"],
        "installation": secrets.token_hex(32),
    }.items():
        path = credentials / name
        path.touch(mode=0o600)
        path.write_text(value, "utf-8")
    (folder / "tiers.yaml").write_text(_tier_map(), "utf-8")
    config = folder / "tiergate.yaml"
    config.write_text(_installation({**world, "folder": str(folder.resolve())}), "utf-8")
    return config


def _installation(world: Mapping[str, Any]) -> str:
    source = resources.files("engine.cli.demo").joinpath("tiergate.yaml.j2").read_text("utf-8")
    environment = Environment(  # noqa: S701  YAML of our own, nothing of it is HTML
        undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(source).render(world)


def _tier_map() -> str:
    """Return the shipped tier map with the demo's few differences, comments kept."""
    yaml = YAML()
    yaml.width = 200
    yaml.preserve_quotes = True
    text = resources.files("config").joinpath("defaults/tiers.yaml").read_text("utf-8")
    document = yaml.load(text)
    document["freezes"] = []
    for authority in document["authorities"].values():
        if "jira" in authority:
            authority["itsm-jira"] = authority.pop("jira")
    for action in document["actions"].values():
        action["phase"] = "automatic"
    document["actions"]["reset_password"]["catalog_items"] = [{"id": _PASSWORD_RESET}]
    out = io.StringIO()
    yaml.dump(document, out)
    return _HEADER + out.getvalue()
