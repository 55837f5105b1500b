"""What stands around a change: its evidence, and the ticket it is for."""

from collections.abc import Sequence

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.drafts import MARK
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import TABLES
from engine.domain.refs import ChangeRef, TicketRef
from engine.errors import InvalidAnswerError, OutcomeUnknownError

_TABLE = "change_request"


def _listed(record: Record) -> list[str]:
    return [one for one in text(record, "watch_list").split(",") if one]


class ChangeFiles:
    """Attaches evidence to changes of one instance and links them to their tickets."""

    def __init__(self, client: ServiceNowClient, journals: Journals) -> None:
        self._client = client
        self._journals = journals

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once, by name.

        Raises:
            OutcomeUnknownError: The answer was lost and the file cannot be seen yet.
        """
        if self._is_attached(ref, name):
            return
        place = {"table_name": _TABLE, "table_sys_id": ref.id, "file_name": name}
        try:
            self._client.upload(place, content, content_type)
        except OutcomeUnknownError:
            if not self._is_attached(ref, name):
                raise

    def _is_attached(self, ref: ChangeRef, name: str) -> bool:
        names = self._client.attachments(
            q.both(
                q.equals("table_name", _TABLE),
                q.equals("table_sys_id", ref.id),
                q.equals("file_name", name),
            )
        )
        return name in names

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Add to the change's watch list whoever is missing there; read back.

        The list holds sys_ids of users and mail addresses; nobody on it is taken off.

        Raises:
            InvalidAnswerError: The instance said yes and left somebody out.
        """
        record = self._client.read(_TABLE, ref.id, fields=("sys_id", "watch_list"))
        listed = _listed(record)
        missing = [one for one in who if one not in listed]
        if not missing:
            return
        body = {"watch_list": ",".join([*listed, *missing])}
        reply = self._client.update(_TABLE, ref.id, body, fields=("sys_id", "watch_list"))
        if lost := set(missing) - set(_listed(reply)):
            raise InvalidAnswerError(f"{ref}: {len(lost)} were left out of the watch list")

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket: `parent` here, a work note for another system's ticket."""
        if ticket.system != self._client.name:
            self._journals.add_once(
                _TABLE,
                ref.id,
                "work_notes",
                f"For {ticket.key} in {ticket.system}: {url}",
                f"link|{ticket}",
            )
            return
        record = self._client.read(_TABLE, ref.id, fields=("sys_id", "parent"))
        if text(record, "parent") != ticket.id:
            reply = self._client.update(_TABLE, ref.id, {"parent": ticket.id}, fields=("parent",))
            if text(reply, "parent") != ticket.id:
                raise InvalidAnswerError(f"{ref}: linking it to {ticket} was ignored")
        if TABLES[ticket.kind] == "incident":
            self._point_at(ref, ticket)

    def _point_at(self, ref: ChangeRef, ticket: TicketRef) -> None:
        """Name the change in the incident's `rfc`, instead of none or of an earlier one of ours."""
        incident = self._client.read(
            "incident", ticket.id, fields=("sys_id", "rfc", "rfc.correlation_display")
        )
        now = text(incident, "rfc")
        if not now or (now != ref.id and text(incident, "rfc.correlation_display") == MARK):
            self._client.update("incident", ticket.id, {"rfc": ref.id}, fields=("rfc",))
