"""Our own changes among a site's issues: which one carries a key, and which issues are changes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.jira.adoption import Adoption
from connectors.jira.client import JiraClient
from connectors.jira.links import Links
from connectors.jira.plan_form import PlanForm
from connectors.jira.settings import ChangeSettings, GateMode
from connectors.jira.site import REQUEST_TYPE, NativeField, RequestType, Site
from connectors.jira.values import Payload, epoch_ms, instant, mapping, quoted, text_of
from engine.domain.decision import Window
from engine.errors import InvalidAnswerError, RecordNotFoundError

CHANGE = "tiergate.change"
LABEL = "tiergate-change"
_LISTED_MOST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A change that our account created, with the key on it ("" where it carries none)."""

    id: str
    key: str
    correlation_id: str
    opened_at: datetime


class OwnChanges:
    """Finds what our account opened, or adopted, as a change."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        links: Links,
        form: PlanForm,
        adoption: Adoption,
        settings: ChangeSettings,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._links = links
        self._form = form
        self._adoption = adoption
        self._settings = settings

    def find(self, correlation_id: str) -> str | None:
        """Return the id of the change that carries this correlation id.

        The label only leads there; what counts is our property, or, where a crash came before it,
        that our own account made the issue. Decoys that others label are passed over.

        Raises:
            InvalidAnswerError: More than one carries it.
        """
        project, label = quoted(self._settings.project), quoted(label_of(correlation_id))
        jql = f"project = {project} AND labels = {label} ORDER BY created ASC"
        hits = self._client.search_all(jql, ("summary",), most=50)
        held = [text_of(hit.get("id")) for hit in hits]
        found = [one for one in held if self._carries(one, correlation_id)]
        if len(found) > 1:
            raise InvalidAnswerError(
                f"{self._client.name}: {len(found)} changes carry one correlation id"
                f" (issues {', '.join(found)})"
            )
        return found[0] if found else None

    def _carries(self, issue_id: str, correlation_id: str) -> bool:
        try:
            bean = mapping(
                self._client.get(f"issue/{issue_id}", {"fields": "creator,labels"}), "issue"
            )
        except RecordNotFoundError:
            return False
        fields = mapping(bean.get("fields"), "issue.fields")
        creator = self._client.account(fields.get("creator"))
        is_ours = creator is not None and creator.identity == self._client.me().identity
        if not is_ours and not self._adoption.has_marked(issue_id, label_of(correlation_id)):
            return False
        held = self._links.property(issue_id, CHANGE)
        if held is not None:
            return held.get("correlation") == correlation_id
        labels = [text_of(one) for one in fields.get("labels") or ()]
        return label_of(correlation_id) in labels

    def opened_since(self, since: datetime) -> list[Opened]:
        """Return the changes that our account created since then, with one read of each.

        Raises:
            InvalidAnswerError: There are more than a person would read through.
        """
        origin = self._site.custom(REQUEST_TYPE)
        fields = ("created", "labels", *(() if origin is None else (origin.id,)))
        jql = (
            f"project = {quoted(self._settings.project)} AND creator = currentUser()"
            f" AND created >= {epoch_ms(since)} ORDER BY created ASC"
        )
        found = list[Opened]()
        for hit in self._client.search_all(jql, fields, most=_LISTED_MOST):
            held = mapping(hit.get("fields"), "issue.fields")
            if not self.is_change(held, origin):
                continue
            issue_id = text_of(hit.get("id"))
            mark = self._links.property(issue_id, CHANGE) or {}
            found.append(
                Opened(
                    id=issue_id,
                    key=text_of(hit.get("key")),
                    correlation_id=text_of(mark.get("correlation")),
                    opened_at=instant(held.get("created"), "issue.fields.created"),
                )
            )
        return found

    def request_type(self) -> RequestType:
        """Return the configured change request type."""
        return self._site.request_type(self._settings.project, self._settings.request_type)

    def may_be_change(self, fields: Payload, origin: NativeField | None) -> bool:
        """Whether anybody's issue is a change; a plain issue is one once it has a planned time."""
        if self._settings.mode is GateMode.STATUS:
            return self._form.window(fields) != Window()
        return self.is_change(fields, origin)

    def is_change(self, fields: Payload, origin: NativeField | None) -> bool:
        """Whether an issue of ours is a change, and not an incident about a fault."""
        if self._settings.mode is GateMode.STATUS:
            labels = listing_text(fields.get("labels"))
            return LABEL in labels
        value = None if origin is None else fields.get(origin.id)
        kind = value.get("requestType") if isinstance(value, Mapping) else None
        return isinstance(kind, Mapping) and text_of(kind.get("id")) == self.request_type().id


def listing_text(value: object) -> list[str]:
    """Return a list of texts; empty for anything else."""
    return [text_of(one) for one in value] if isinstance(value, list) else []


def label_of(correlation_id: str) -> str:
    """Return the label that leads to the change: a label holds no blanks, so a hash of the id."""
    return f"tiergate-{hashed(correlation_id)}"


def hashed(text: str) -> str:
    """Return a name for a correlation id where no blank or colon may stand."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
