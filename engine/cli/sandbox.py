"""`tiergate sandbox`: the vendors' APIs, a directory and a mail sink on loopback."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from connectors.jira.sandbox.server import JiraSandbox
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.smtp.sandbox.server import MailSandbox
from engine.cli.console import errors_end_the_command, say
from engine.runtime.signals import on_end

Port = Annotated[int, typer.Option(help="0 picks a free one.", min=0, max=65535)]
Seed = Literal["demo", "empty"]
Flavour = Literal["cloud", "datacenter"]


def sandbox(  # noqa: PLR0913  one option each
    *,
    servicenow_port: Port = 0,
    jira_port: Port = 0,
    ldap_port: Port = 0,
    smtp_port: Port = 0,
    data: Annotated[Path | None, typer.Option(help="Keep the data here.")] = None,
    seed: Annotated[Seed, typer.Option(help="People alone, or tickets too.")] = "demo",
    jira_flavour: Annotated[Flavour, typer.Option(help="Which Jira to be.")] = "cloud",
    tls: Annotated[bool, typer.Option("--tls", help="HTTPS with a throw-away CA.")] = False,
) -> None:
    """Run the sandboxes; when ready, print one JSON line: where they are and who may enter."""
    stop = threading.Event()
    on_end(stop.set)

    def folder(name: str) -> Path | None:
        return data / name if data else None

    with errors_end_the_command(), ExitStack() as running:
        servicenow = running.enter_context(
            ServiceNowSandbox(folder("servicenow"), seed, servicenow_port, tls=tls)
        )
        jira = running.enter_context(
            JiraSandbox(folder("jira"), seed, jira_flavour, port=jira_port, tls=tls)
        )
        directory = running.enter_context(DirectorySandbox(folder("ldap"), seed, ldap_port))
        mail = running.enter_context(MailSandbox(folder("smtp"), smtp_port))
        document = document_of(servicenow, jira, directory, mail)
        say(orjson.dumps(document).decode())
        stop.wait()


def document_of(
    servicenow: ServiceNowSandbox, jira: JiraSandbox, directory: DirectorySandbox, mail: MailSandbox
) -> dict[str, Any]:
    """Return where running sandboxes are and who may enter, as the JSON line says it."""
    return {
        "servicenow": {
            "url": servicenow.url,
            "admin_url": servicenow.admin_url,
            "accounts": {
                role: {"username": way.username, "password": way.password}
                for role, way in servicenow.accounts.items()
            },
        },
        "jira": _way_in(jira.url, jira.admin_url, jira.accounts),
        "ldap": _way_in(directory.url, directory.admin_url, directory.accounts),
        "smtp": {"host": "127.0.0.1", "port": mail.port, "admin_url": mail.admin_url},
        "ca_file": str(servicenow.ca_file) if servicenow.ca_file else None,
    }


def _way_in(url: str, admin_url: str, accounts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {
        "url": url,
        "admin_url": admin_url,
        "accounts": {role: dict(way) for role, way in accounts.items()},
    }
