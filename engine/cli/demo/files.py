"""The demo's own configuration: the same two files that an admin edits."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined


def write_files(folder: Path, world: Mapping[str, Any]) -> Path:
    """Write `tiergate.yaml`, `tiers.yaml` and their secrets; return the first one's path."""
    secrets = folder / "credentials"
    secrets.mkdir(mode=0o700)
    for name, value in {
        "servicenow": world["servicenow"]["accounts"]["integration"]["password"],
        "jira": world["jira"]["accounts"]["integration"]["password"],
        "ldap": world["ldap"]["accounts"]["integration"]["password"],
    }.items():
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value, "utf-8")
    for name in ("tiergate.yaml", "tiers.yaml"):
        (folder / name).write_text(_render(f"{name}.j2", world), "utf-8")
    return folder / "tiergate.yaml"


def _render(template: str, world: Mapping[str, Any]) -> str:
    source = resources.files("engine.cli.demo").joinpath(template).read_text("utf-8")
    environment = Environment(  # noqa: S701  YAML of our own, nothing of it is HTML
        undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(source).render(world)
