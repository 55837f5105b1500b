"""Builds the adapters of one ServiceNow instance; no I/O happens here."""

from dataclasses import dataclass

from connectors.servicenow.accounts import Accounts
from connectors.servicenow.changes import ServiceNowChanges
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.control import ServiceNowControl
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.tickets import ServiceNowTickets
from connectors.servicenow.trail import ServiceNowTrail
from engine.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNowAdapters:
    """The ports of one instance over one session, and its accounts for People."""

    desk: ServiceNowTickets
    changes: ServiceNowChanges
    accounts: Accounts
    trail: ServiceNowTrail
    control: ServiceNowControl | None


def build(name: str, settings: ServiceNowSettings, clock: Clock) -> ServiceNowAdapters:
    """Return the adapters of the system that the configuration calls `name`."""
    client = ServiceNowClient(name, settings, clock)
    return ServiceNowAdapters(
        desk=ServiceNowTickets(client, settings, clock),
        changes=ServiceNowChanges(client, settings, clock),
        accounts=Accounts(client),
        trail=ServiceNowTrail(client, settings),
        control=None
        if settings.control is None
        else ServiceNowControl(client, settings.control, clock),
    )
