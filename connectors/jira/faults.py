"""The one incident that tells a fault of the daemon itself, in the configured queue."""

import hashlib
import threading

from connectors.jira.client import JiraClient
from connectors.jira.moves import Moves
from connectors.jira.notes import Notes
from connectors.jira.records import Records
from connectors.jira.settings import FaultSettings, JiraSettings
from connectors.jira.site import Site
from connectors.jira.values import Payload, mapping, one_line, quoted, text_of
from engine.domain.ticket import TicketState
from engine.errors import ConfigurationError, OutcomeUnknownError, RecordNotFoundError

_LINE_MOST = 250


class FaultDesk:
    """Opens, updates and closes fault incidents, found again by a label made from the marker."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        notes: Notes,
        moves: Moves,
        records: Records,
        settings: JiraSettings,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._notes = notes
        self._moves = moves
        self._records = records
        self._settings = settings
        self._lock = threading.Lock()
        # The index shows a new incident late: what this process opened, it remembers.
        self._opened: dict[str, str] = {}

    def open(self, title: str, text: str, *, marker: str) -> None:
        """Open the incident, or add what is new to the one that is open.

        Raises:
            ConfigurationError: No queue is configured.
        """
        faults = self._faults()
        with self._lock:
            issue_id = self._find(marker)
            if issue_id is None:
                self._opened[marker] = self._create(faults, title, text, marker)
                return
        said = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._notes.add(issue_id, text, marker=f"{marker}:{said}", is_public=False)

    def close(self, text: str, *, marker: str) -> None:
        """Resolve the incident if it is open and nobody has taken it."""
        if self._settings.faults is None:
            return
        with self._lock:
            issue_id = self._find(marker)
            self._opened.pop(marker, None)
        if issue_id is None:
            return
        bean = self._read(issue_id)
        if bean is None or mapping(bean.get("fields"), "issue.fields").get("assignee"):
            return
        self._notes.add(issue_id, text, marker=f"{marker}:closed", is_public=False)
        over = {TicketState.RESOLVED, TicketState.CLOSED}
        known = self._records.states
        self._moves.walk(
            issue_id,
            goal=lambda status: known.get(status.id, status.name) in over,
            through=lambda status: known.get(status.id, status.name) is TicketState.IN_PROGRESS,
            resolution=self._settings.resolution,
        )

    def _faults(self) -> FaultSettings:
        if self._settings.faults is None:
            raise ConfigurationError(
                f"{self._client.name}: faults are to be told here, but no queue (faults:) is set"
            )
        return self._settings.faults

    def _find(self, marker: str) -> str | None:
        known = self._opened.get(marker)
        if known is not None and self._is_open(known):
            return known
        project = quoted(self._faults().project)
        label = quoted(fault_label(marker))
        jql = f"project = {project} AND labels = {label} ORDER BY created DESC"
        for hit in self._client.search_all(jql, ("status",), most=50):
            issue_id = text_of(hit.get("id"))
            if self._is_open(issue_id):
                return issue_id
        return None

    def _read(self, issue_id: str) -> Payload | None:
        try:
            params = {"fields": "status,assignee,creator"}
            return mapping(self._client.get(f"issue/{issue_id}", params), "issue")
        except RecordNotFoundError:
            return None

    def _is_open(self, issue_id: str) -> bool:
        """Whether it is still open, read directly, and made by us: anybody can set a label."""
        bean = self._read(issue_id)
        if bean is None:
            return False
        fields = mapping(bean.get("fields"), "issue.fields")
        creator = self._client.account(fields.get("creator"))
        if creator is None or creator.identity != self._client.me().identity:
            return False
        status = mapping(fields.get("status"), "status")
        state = self._records.states(text_of(status.get("id")), text_of(status.get("name")))
        return bool(state.is_open)

    def _create(self, faults: FaultSettings, title: str, text: str, marker: str) -> str:
        summary = one_line(" ".join(title.split())[:_LINE_MOST], "title")
        try:
            if faults.request_type:
                return self._create_request(faults, summary, text, marker)
            response = self._client.write(
                "POST",
                "issue",
                {
                    "fields": {
                        "project": {"key": faults.project},
                        "issuetype": {"name": faults.issue_type},
                        "summary": summary,
                        "description": text,
                        "labels": [*faults.labels, fault_label(marker)],
                    }
                },
                is_repeatable=False,
            )
            return text_of(mapping(self._client.body(response), "issue").get("id"))
        except OutcomeUnknownError:
            found = self._find(marker)
            if found is None:
                raise
            return found

    def _create_request(self, faults: FaultSettings, summary: str, text: str, marker: str) -> str:
        kind = self._site.request_type(faults.project, faults.request_type)
        body = {
            "serviceDeskId": kind.desk,
            "requestTypeId": kind.id,
            "requestFieldValues": {"summary": summary, "description": text},
        }
        issue_id = text_of(self._client.desk_post("request", body).get("issueId"))
        labels = [{"add": label} for label in (*faults.labels, fault_label(marker))]
        path = f"issue/{issue_id}"
        self._client.write("PUT", path, {"update": {"labels": labels}}, is_repeatable=True)
        return issue_id


def fault_label(marker: str) -> str:
    """Return the label by which the incident of this fault is found again."""
    return f"tiergate-fault-{hashlib.sha256(marker.encode()).hexdigest()[:16]}"
