"""Builds the adapters of one Jira site, sharing one client and one picture of the site."""

from dataclasses import dataclass

from connectors.jira.accounts import JiraAccountKeys
from connectors.jira.changes import JiraChangeControl
from connectors.jira.client import JiraClient
from connectors.jira.control import JiraControl
from connectors.jira.records import Records
from connectors.jira.settings import JiraSettings
from connectors.jira.site import Site
from connectors.jira.tickets import JiraTicketDesk
from connectors.jira.trail import JiraTrail
from engine.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraAdapters:
    """What one site offers; `changes` is None where the configuration keeps none there."""

    desk: JiraTicketDesk
    changes: JiraChangeControl | None
    accounts: JiraAccountKeys
    trail: JiraTrail
    control: JiraControl | None


def build(name: str, settings: JiraSettings, clock: Clock) -> JiraAdapters:
    """Return the adapters of one site; nothing is sent before their first use."""
    client = JiraClient(name, settings, clock)
    site = Site(client, clock)
    changes = settings.changes
    return JiraAdapters(
        desk=JiraTicketDesk(name, settings, client, site, clock),
        changes=None
        if changes is None
        else JiraChangeControl(name, settings, changes, client, site, clock),
        accounts=JiraAccountKeys(client, settings.people),
        trail=JiraTrail(client, site, settings),
        control=None
        if settings.control is None
        else JiraControl(client, site, Records(client, site, settings), settings.control, clock),
    )
