"""An issue as a ticket: which of its fields mean what, and what a person has set by hand."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.jira.client import JiraClient
from connectors.jira.history import Edit, edits, touches
from connectors.jira.mapping import (
    TICKET_KINDS,
    TICKET_STATES,
    Approval,
    NameMap,
    approval,
    native_approval,
)
from connectors.jira.moves import status_of
from connectors.jira.notes import HOLD, RUN_NOW, Notes
from connectors.jira.settings import FieldTarget, JiraSettings
from connectors.jira.site import APPROVALS, REQUEST_TYPE, NativeField, Site
from connectors.jira.transport import RefusedError
from connectors.jira.values import Payload, instant, listing, mapping, plain, text_of
from engine.domain.refs import Account, TicketRef
from engine.domain.ticket import NativeApproval, Ticket, TicketField
from engine.errors import InvalidAnswerError, MissingRightError, RecordNotFoundError

CHANNEL = "request.channel.type"
_BASE = (
    "summary", "description", "status", "issuetype", "project", "priority", "labels", "reporter",
    "creator", "assignee", "created", "updated", "security", "duedate", "resolution", "comment",
)  # fmt: skip
_NOT_VARIABLES = frozenset({"summary", "description", "priority", "labels", "attachment"})
_HISTORY_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One issue as read, before it is known to be a ticket of ours."""

    id: str
    key: str
    updated_at: datetime
    bean: Payload

    @property
    def fields(self) -> Mapping[str, Any]:
        """The issue's fields."""
        return mapping(self.bean.get("fields"), f"issue {self.key}.fields")


def found(bean: Payload) -> Found:
    """Return an issue of a search or a direct read.

    Raises:
        InvalidAnswerError: It lacks id, key or time of update.
    """
    fields = mapping(bean.get("fields"), "issue.fields")
    number, key = text_of(bean.get("id")), text_of(bean.get("key"))
    if not number or not key:
        raise InvalidAnswerError("issue: without id or key")
    return Found(
        id=number, key=key, updated_at=instant(fields.get("updated"), "updated"), bean=bean
    )


class Records:
    """Reads issues of one site and maps them to tickets."""

    def __init__(self, client: JiraClient, site: Site, settings: JiraSettings) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._notes = Notes(client, site)
        self._site = site
        self._settings = settings
        self._states = NameMap("ticket.status", TICKET_STATES, settings.statuses)
        self._kinds = NameMap("ticket.issuetype", TICKET_KINDS, settings.kinds)
        self._ignored = frozenset(name.casefold() for name in settings.ignored)
        self._channels: dict[str, str] = {}

    @property
    def states(self) -> NameMap[Any]:
        """The table from native status to our state."""
        return self._states

    # --- reading

    def field_ids(self) -> tuple[str, ...]:
        """Return the fields that a read or a search must ask for."""
        wanted = set(_BASE) | set(self._site.known_forms())
        for kind in (REQUEST_TYPE, APPROVALS):
            field = self._site.custom(kind)
            if field is not None:
                wanted.add(field.id)
        wanted |= {self.native(target).id for target in self._settings.fields.values()}
        if self._settings.subject_field:
            wanted.add(self._site.field(self._settings.subject_field).id)
        return tuple(sorted(wanted))

    def native(self, target: FieldTarget) -> NativeField:
        """Return the field of the site that holds a triage field."""
        return self._site.field(target.field)

    def issue(self, issue_id: str, *, more: Sequence[str] = ()) -> Found:
        """Return an issue as it is now, read directly, with its changelog.

        Raises:
            RecordNotFoundError: Deleted, or hidden from us.
        """
        params = {
            "fields": ",".join([*self.field_ids(), *more]),
            "expand": "changelog",
            "properties": CHANNEL,
        }
        return found(mapping(self._client.get(f"issue/{issue_id}", params), "issue"))

    def history(self, one: Found) -> tuple[Edit, ...]:
        """Return the whole changelog, oldest first.

        The expanded form is cut off for long histories on Cloud, whose endpoint is whole; Data
        Center has the expanded form alone.

        Raises:
            InvalidAnswerError: It is cut off and there is no other way to read it.
            MissingRightError: We may not read it.
        """
        log = one.bean.get("changelog")
        if isinstance(log, Mapping):
            histories = listing(log.get("histories"), "changelog.histories")
            total = log.get("total")
            if isinstance(total, int) and len(histories) >= total:
                return self._edits(histories)
        if not self._client.is_cloud:
            raise InvalidAnswerError(f"issue {one.key}: its changelog is cut off")
        path = f"issue/{one.id}/changelog"
        return self._edits(self._client.pages(path, "values", {"maxResults": _HISTORY_PAGE}))

    def _edits(self, histories: Iterable[Payload]) -> tuple[Edit, ...]:
        return edits(self._client.name, histories, is_cloud=self._client.is_cloud)

    def approvals(self, issue_id: str) -> tuple[Approval, ...]:
        """Return every native approval of a request, all passes.

        Raises:
            RecordNotFoundError: It is no request, or hidden from us.
        """
        pages = self._client.desk_pages(f"request/{issue_id}/approval")
        cloud = self._client.is_cloud
        return tuple(approval(self._client.name, one, is_cloud=cloud) for one in pages)

    # --- mapping

    def is_ours(self, one: Found, request_types: Sequence[str]) -> bool:
        """Whether an issue is a ticket: not one of our own making, no change, of a wanted type."""
        creator = self._client.account(one.fields.get("creator"))
        kind = mapping(one.fields.get("issuetype"), "issuetype")
        if not self.is_ticket_type(text_of(kind.get("id")), text_of(kind.get("name"))):
            return False
        if creator is not None and creator.identity == self._client.me().identity:
            return False
        if not request_types:
            return True
        chosen = self._request_type(one)
        wanted = {name.casefold() for name in request_types}
        return chosen is not None and bool({chosen[1], chosen[2].casefold()} & wanted)

    def is_ticket_type(self, native_id: str, name: str) -> bool:
        """Whether issues of this type are tickets at all."""
        return not {native_id, name.casefold()} & self._ignored

    def ref(self, one: Found) -> TicketRef:
        """Return the ticket's reference.

        Raises:
            UnmappedValueError: An issue type that no table knows.
        """
        kind = mapping(one.fields.get("issuetype"), "issuetype")
        return TicketRef(
            system=self._client.name,
            kind=self._kinds(text_of(kind.get("id")), text_of(kind.get("name"))),
            id=one.id,
            key=one.key,
        )

    def ticket(self, one: Found, *, is_fresh: bool) -> Ticket:
        """Return the issue as a ticket.

        Args:
            one: The issue, with the fields of `field_ids` and its changelog.
            is_fresh: Read directly just now: then its approvals are read directly too.

        Raises:
            UnmappedValueError: A status, issue type or decision that no table knows.
            InvalidAnswerError: A record that cannot be read whole.
        """
        one, variables, chosen = self._with_form(one)
        fields = one.fields
        status = status_of(fields.get("status"))
        state = self._states(status.id, status.name)
        history = self.history(one)
        labels = frozenset(text_of(label).casefold() for label in fields.get("labels") or ())
        triage = self._triage(fields)
        return Ticket(
            ref=self.ref(one),
            url=f"{self._settings.browse}/browse/{one.key}",
            version=one.updated_at.isoformat(timespec="milliseconds"),
            created_at=instant(fields.get("created"), "created"),
            updated_at=one.updated_at,
            state=state,
            short_description=plain(fields.get("summary")),
            description=plain(fields.get("description")),
            requester=self._client.account(fields.get("reporter")),
            creator=self._client.account(fields.get("creator")),
            subject=self._subject(fields),
            assignee=self._client.account(fields.get("assignee")),
            group=triage.get(TicketField.ASSIGNMENT_GROUP, ""),
            channel=self._channel(one, is_request=chosen is not None),
            catalog_item="" if chosen is None else chosen[1],
            catalog_item_name="" if chosen is None else chosen[2],
            variables=variables,
            fields=triage,
            edited=self._edited(history),
            native_approval=self._approval(one, is_fresh=is_fresh, is_request=chosen is not None),
            is_held=self._settings.hold_label.casefold() in labels or self._is_held(one),
            is_major_incident=bool(labels & _folded(self._settings.major_labels)),
            is_security=bool(labels & _folded(self._settings.security_labels))
            or fields.get("security") is not None,
            updated_by=_last_author(history),
            run_now=self._notes.run_now(one.id) if _may_say(one, RUN_NOW) else None,
        )

    def _is_held(self, one: Found) -> bool:
        """Whether an agent's internal note says hold, and no later one says release."""
        if not _may_say(one, HOLD):
            return False
        return self._notes.is_held(one.id, self._client.account(one.fields.get("reporter")))

    def _subject(self, fields: Payload) -> Account | None:
        if not self._settings.subject_field:
            return None
        return self._client.account(fields.get(self._site.field(self._settings.subject_field).id))

    def _request_type(self, one: Found) -> tuple[str, str, str] | None:
        """Return desk, id and name of the request type; None for a plain issue."""
        origin = self._site.custom(REQUEST_TYPE)
        value = None if origin is None else one.fields.get(origin.id)
        if not isinstance(value, Mapping):
            return None
        kind = value.get("requestType")
        if not isinstance(kind, Mapping):
            return None
        desk = text_of(kind.get("serviceDeskId"))
        return desk, text_of(kind.get("id")), text_of(kind.get("name"))

    def _with_form(
        self, one: Found
    ) -> tuple[Found, Mapping[str, str], tuple[str, str, str] | None]:
        chosen = self._request_type(one)
        if chosen is None:
            return one, {}, None
        form = self._form(chosen)
        if not set(form) - _NOT_VARIABLES <= set(one.fields):
            one = self.issue(one.id, more=tuple(form))
        answers = {
            label: plain(one.fields.get(field))
            for field, label in form.items()
            if field not in _NOT_VARIABLES
        }
        return one, {label: text for label, text in answers.items() if text}, chosen

    def _form(self, chosen: tuple[str, str, str]) -> Mapping[str, str]:
        desk, type_id, name = chosen
        if not desk:
            return {}
        try:
            return self._site.form(desk, type_id, name).form
        except RecordNotFoundError:
            # A request type that was deleted leaves its requests behind; their fields remain.
            return {}

    def _triage(self, fields: Payload) -> Mapping[TicketField, str]:
        return {
            part: field_text(fields, self.native(target), target)
            for part, target in self._settings.fields.items()
        }

    def _edited(self, history: Iterable[Edit]) -> frozenset[TicketField]:
        me = self._client.me()
        found_: set[TicketField] = set()
        by_field = {
            self.native(target).id: (part, self.native(target).name, target)
            for part, target in self._settings.fields.items()
        }
        for edit in history:
            if edit.is_app or (edit.by is not None and edit.by.identity == me.identity):
                continue
            for field_id, (part, name, target) in by_field.items():
                is_it = edit.field in {field_id, name}
                if is_it and (not target.prefix or touches(edit, target.prefix)):
                    found_.add(part)
        return frozenset(found_)

    def _channel(self, one: Found, *, is_request: bool) -> str:
        """Return how the issue came: the portal's own record of it, or `jira` for a plain one.

        A request without that record has an unknown channel, which no allow-list holds.
        """
        if not is_request:
            return "jira"
        properties = one.bean.get("properties")
        if isinstance(properties, Mapping) and CHANNEL in properties:
            return _channel_of(properties[CHANNEL])
        if one.id not in self._channels:
            bean = self._client.find(f"issue/{one.id}/properties/{CHANNEL}")
            value = None if bean is None else mapping(bean, "property").get("value")
            if len(self._channels) > 10_000:  # noqa: PLR2004  a bound for memory, never for truth
                self._channels.clear()
            self._channels[one.id] = _channel_of(value)
        return self._channels[one.id]

    def _approval(self, one: Found, *, is_fresh: bool, is_request: bool) -> NativeApproval:
        if not is_request:
            return NativeApproval.NONE
        shown = self._site.custom(APPROVALS)
        if not is_fresh and shown is not None and not one.fields.get(shown.id):
            return NativeApproval.NONE
        try:
            return native_approval(self.approvals(one.id))
        except (RecordNotFoundError, RefusedError) as error:
            raise MissingRightError(
                f"{self._client.name} issue {one.key}: its approvals cannot be read ({error})"
            ) from None


def _may_say(one: Found, words: re.Pattern[str]) -> bool:
    """Whether the comments shown with an issue make it worth a closer look for these words."""
    shown = mapping(one.fields.get("comment") or {}, "comment")
    bodies = [text_of(note.get("body")) for note in listing(shown.get("comments") or [], "c")]
    is_cut = len(bodies) < int(shown.get("total") or 0)
    return is_cut or any(words.search(body) for body in bodies)


def field_text(fields: Payload, native: NativeField, target: FieldTarget) -> str:
    """Return the text of a triage field; of labels, the one behind the prefix."""
    value = fields.get(native.id)
    if not target.prefix:
        return text_of(value)
    held = [text_of(label) for label in value or ()]
    ours = (one for one in held if one.startswith(target.prefix))
    return next((target.value(one) for one in ours), "")


def _channel_of(value: object) -> str:
    if not isinstance(value, Mapping):
        return ""
    return text_of(value.get("value") or value.get("channel"))


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _last_author(history: Sequence[Edit]) -> str:
    last = history[-1].by if history else None
    return "" if last is None else last.id
