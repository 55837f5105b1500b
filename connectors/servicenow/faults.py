"""The one incident for a fault of the daemon itself."""

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.journals import Journals, token
from connectors.servicenow.mapping import TicketMapping
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.ticket import TicketState
from engine.errors import (
    ConfigurationError,
    InvalidAnswerError,
    MissingRightError,
    OutcomeUnknownError,
)

_FIELDS = ("sys_id", "number", "state", "correlation_id", "assigned_to", "sys_created_by")
_TITLE_LIMIT = 160


class FaultIncident:
    """Opens, updates and closes it; found again by a correlation id made from the marker."""

    def __init__(
        self,
        client: ServiceNowClient,
        settings: ServiceNowSettings,
        mapping: TicketMapping,
        accounts: Accounts,
        journals: Journals,
    ) -> None:
        self._client = client
        self._settings = settings
        self._mapping = mapping
        self._accounts = accounts
        self._journals = journals

    def open(self, title: str, body: str, *, marker: str) -> None:
        """Open the incident, or note on the open one what is new.

        Raises:
            ConfigurationError: No queue is configured.
            OutcomeUnknownError: The create got no answer and the incident cannot be seen yet.
        """
        if not self._settings.faults_group:
            raise ConfigurationError(f"{self._client.name}: no queue for faults is configured")
        found = self._find(marker)
        if found is not None:
            entry = f"{title}\n{body}"
            self._journals.add_once(
                "incident", text(found, "sys_id"), "work_notes", entry, f"{marker}|{entry}"
            )
            return
        values = {
            "short_description": title[:_TITLE_LIMIT],
            "description": f"{title}\n\n{body}",
            "assignment_group": self._accounts.group_id(self._settings.faults_group),
            "caller_id": self._client.account().id,
            "correlation_id": token(marker),
            "correlation_display": "Tiergate",
        }
        try:
            self._client.create("incident", values, fields=_FIELDS)
        except OutcomeUnknownError:
            if self._find(marker) is None:
                raise

    def close(self, body: str, *, marker: str) -> None:
        """Resolve the incident; one that a person took or moved is only told.

        Raises:
            InvalidAnswerError: The write was answered with success and ignored.
        """
        found = self._find(marker)
        if found is None:
            return
        sys_id = text(found, "sys_id")
        state = self._mapping.state("incident", text(found, "state"))
        if text(found, "assigned_to") or state is not TicketState.NEW:
            self._journals.add_once("incident", sys_id, "work_notes", body, f"{marker}|{body}")
            return
        values = {
            "state": self._mapping.native_state("incident", TicketState.RESOLVED),
            "close_code": self._settings.resolve.close_code,
            "close_notes": body,
        }
        reply = self._client.update("incident", sys_id, values, fields=_FIELDS)
        if text(reply, "state") != values["state"]:
            raise InvalidAnswerError(
                f"{self._client.name}: resolving the incident of a fault was answered with success"
                " and ignored"
            )

    def _find(self, marker: str) -> Record | None:
        key = token(marker)
        rows, hidden = self._client.all_rows(
            "incident",
            q.both(q.equals("correlation_id", key), q.equals("active", "true")),
            fields=_FIELDS,
        )
        if hidden:
            raise MissingRightError(
                f"{self._client.name}: {hidden} incidents of this very fault are hidden from us"
            )
        own = [
            row
            for row in rows
            if text(row, "correlation_id") == key
            and self._mapping.state("incident", text(row, "state")).is_open
        ]
        return own[0] if own else None
