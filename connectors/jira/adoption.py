"""Taking over a change that a person opened: only while it is New and nobody has been asked.

The ticket says which, by an issue link of the configured type. Anybody who may edit an issue can
write an entity property, so what makes a person's issue ours is the changelog: our own account put
our label on it, when it was New and had never been anywhere else.
"""

from collections.abc import Iterator, Mapping, Sequence

from connectors.jira.client import JiraClient
from connectors.jira.history import STATUS, Edit
from connectors.jira.links import Links
from connectors.jira.mapping import CHANGE_STATES, NameMap
from connectors.jira.moves import status_of
from connectors.jira.records import Found, Records, found
from connectors.jira.settings import ChangeSettings, GateMode
from connectors.jira.site import REQUEST_TYPE, Site
from connectors.jira.values import mapping, text_of
from engine.domain.change import ChangeState
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    PreconditionError,
    RecordNotFoundError,
)

_FIELDS = ("summary", "status", "labels", "creator", "created", "updated", "issuetype", "project",
           "resolution")  # fmt: skip


class Adoption:
    """Adopts changes of one site."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        records: Records,
        links: Links,
        settings: ChangeSettings,
        *,
        hold_label: str,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._records = records
        self._links = links
        self._settings = settings
        self._hold_label = hold_label
        self._states = NameMap("change.status", CHANGE_STATES, settings.statuses)

    @property
    def is_on(self) -> bool:
        """Whether the configuration wants a person's change to be adopted."""
        return self._settings.adopt

    def linked(self, ticket_id: str, mark: str) -> str | None:
        """Return the id of the change of a person that the ticket is linked to, None without one.

        `mark` is the property that our own changes carry, those of earlier revisions included.

        Raises:
            PreconditionError: It is linked to more than one.
        """
        read = map(self._readable, self._links.linked_by(ticket_id, self._settings.link_type))
        theirs = [
            one
            for one in read
            if one is not None
            and self._is_a_change(one)
            and self._links.property(one.id, mark) is None
        ]
        if len(theirs) > 1:
            keys = ", ".join(sorted(one.key for one in theirs))
            raise PreconditionError(f"the ticket is linked to more than one change ({keys})")
        return theirs[0].id if theirs else None

    def read(self, issue_id: str) -> Found:
        """Return a change with its changelog, read directly."""
        origin = self._site.custom(REQUEST_TYPE)
        names = (*_FIELDS, *(() if origin is None else (origin.id,)))
        params = {"fields": ",".join(names), "expand": "changelog"}
        return found(mapping(self._client.get(f"issue/{issue_id}", params), "issue"))

    def is_ours(self, one: Found) -> bool:
        """Whether our own account made the issue."""
        creator = self._client.account(one.fields.get("creator"))
        return creator is not None and creator.identity == self._client.me().identity

    def _readable(self, issue_id: str) -> Found | None:
        try:
            return self.read(issue_id)
        except RecordNotFoundError:
            return None

    def _is_a_change(self, one: Found) -> bool:
        """Whether a linked issue is a change of the configured kind that somebody else made."""
        project = mapping(one.fields.get("project"), "issue.fields.project")
        if text_of(project.get("key")) != self._settings.project or self.is_ours(one):
            return False
        if self._settings.mode is GateMode.STATUS:
            kind = mapping(one.fields.get("issuetype"), "issue.fields.issuetype")
            names = {text_of(kind.get("id")), text_of(kind.get("name"))}
            return self._settings.issue_type in names
        origin = self._site.custom(REQUEST_TYPE)
        value = None if origin is None else one.fields.get(origin.id)
        chosen = value.get("requestType") if isinstance(value, Mapping) else None
        wanted = self._site.request_type(self._settings.project, self._settings.request_type)
        return isinstance(chosen, Mapping) and text_of(chosen.get("id")) == wanted.id

    def require_unasked(self, issue_id: str) -> None:
        """Return only if this change can be adopted.

        Raises:
            PreconditionError: It cannot; the reason names what was seen.
        """
        one = self.read(issue_id)
        for objection in self._objections(one):
            raise PreconditionError(
                f"{self._client.name} {one.key} was opened by somebody else and {objection}"
            )

    def _objections(self, one: Found) -> Iterator[str]:
        status = status_of(one.fields.get("status"))
        state = self._states(status.id, status.name)
        if state is not ChangeState.NEW:
            yield f"is {state}: it can only be adopted while it is new"
        history = self._history(one)
        if history is None:
            yield "its history cannot be read"
        if any(edit.field == STATUS for edit in history or ()):
            yield "has been moved before"
        labels = [text_of(label).casefold() for label in one.fields.get("labels") or ()]
        if self._hold_label.casefold() in labels:
            yield "is on hold"
        if self._settings.mode is GateMode.APPROVALS:
            try:
                asked = self._records.approvals(one.id)
            except RecordNotFoundError:
                yield "its approvals cannot be read"
                return
            if asked:
                yield "its approvers have been asked already"

    def _history(self, one: Found) -> tuple[Edit, ...] | None:
        try:
            return self._records.history(one)
        except (MissingRightError, InvalidAnswerError, RecordNotFoundError):
            return None

    def has_marked(self, issue_id: str, label: str) -> bool:
        """Whether our own account put this label on the issue, by its changelog."""
        try:
            history = self._history(self.read(issue_id)) or ()
        except RecordNotFoundError:
            return False
        return any(
            edit.field == "labels"
            and label in edit.new.split()
            and label not in edit.old.split()
            and edit.by is not None
            and edit.by.identity == self._client.me().identity
            for edit in history
        )

    def require_asked_by_us(self, issue_id: str) -> None:
        """Return only if nobody else took an adopted change to its approval.

        Raises:
            PreconditionError: Somebody else did, or nobody can tell who did.
        """
        one = self.read(issue_id)
        if self.is_ours(one):
            return
        moves = [edit for edit in self._history(one) or () if edit.field == STATUS]
        if not moves or not self._is_by_us(moves):
            raise PreconditionError(
                f"{self._client.name} {one.key} was opened by somebody else, who moved it on"
            )

    def _is_by_us(self, moves: Sequence[Edit]) -> bool:
        """Whether the move that first led to an approval was ours."""
        for move in moves:
            if self._states(move.new_id, move.new) is ChangeState.AUTHORIZE:
                return move.by is not None and move.by.identity == self._client.me().identity
        return False
