"""Opening a change exactly once: find it first, leave a trace before creating, complete it after.

The search index shows a new issue late, so "not found" right after a crash proves nothing. Where
the ticket lives on the same site, an entity property on it says, in a direct and consistent read,
that an earlier attempt may have created the change; until the index must show it, nothing is
created.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.jira.adoption import Adoption
from connectors.jira.client import JiraClient
from connectors.jira.groups import group_members
from connectors.jira.links import Links
from connectors.jira.own_changes import CHANGE, LABEL, OwnChanges, hashed, label_of
from connectors.jira.plan_form import PlanForm
from connectors.jira.settings import Approvers, ChangeSettings, CreateBy, GateMode, PlanField
from connectors.jira.site import REQUEST_TYPE, NativeField, Site
from connectors.jira.transport import RefusedError
from connectors.jira.values import instant, mapping, native_instant, text_of
from engine.domain.plan import ChangeDraft
from engine.errors import ConfigurationError, OutcomeUnknownError

_LINKS = "issuelinks"
_LAG = {True: timedelta(minutes=5), False: timedelta(seconds=5)}


class Opening:
    """Creates the changes of one site."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        links: Links,
        form: PlanForm,
        adoption: Adoption,
        own: OwnChanges,
        settings: ChangeSettings,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._adoption = adoption
        self._own = own
        self._client = client
        self._site = site
        self._links = links
        self._form = form
        self._settings = settings

    # --- creating

    def open(self, draft: ChangeDraft) -> str:
        """Return the id of the draft's change, found, adopted or created; complete in any case.

        Raises:
            PreconditionError: A person's change is linked or found, and cannot be adopted.
            OutcomeUnknownError: An attempt may have created it and the index cannot say yet.
            DoesNotFitError: A text is longer than its field.
            ConfigurationError: The form cannot carry what finds the change again.
        """
        issue_id = self._own.find(draft.correlation_id)
        if issue_id is None and self._adoption.is_on and draft.ticket.system == self._client.name:
            issue_id = self._adoption.linked(draft.ticket.id, CHANGE)
        if issue_id is None:
            values = self._form.values(draft)
            self._leave_trace(draft)
            issue_id = self._create(draft, values)
            self._complete(issue_id, draft, values)
        else:
            self.complete(issue_id, draft)
        return issue_id

    def complete(self, issue_id: str, draft: ChangeDraft) -> None:
        """Finish what an opening that was cut off left undone; all of it repeatable.

        Raises:
            PreconditionError: A person's change, which cannot be adopted.
        """
        values = self._form.values(draft)
        if not self._adoption.is_ours(self._adoption.read(issue_id)):
            self._adopt(issue_id, draft, values)
        self._complete(issue_id, draft, values)

    def _adopt(self, issue_id: str, draft: ChangeDraft, values: Mapping[str, Any]) -> None:
        """Make a person's change ours while nobody has been asked; all of it repeatable.

        The label comes with the texts, in one edit by our account: its changelog is what says that
        the issue is ours. The property comes after the second look.

        Raises:
            PreconditionError: It cannot be adopted.
        """
        self._adoption.require_unasked(issue_id)
        labels = [{"add": LABEL}, {"add": label_of(draft.correlation_id)}]
        fields = {**values, **self._approvers(draft)}
        self._edit(issue_id, fields, update={"labels": labels})
        self._adoption.require_unasked(issue_id)
        self._links.put(issue_id, CHANGE, _identity(draft))

    def _leave_trace(self, draft: ChangeDraft) -> None:
        if draft.ticket.system != self._client.name:
            return
        key = f"{CHANGE}.{hashed(draft.correlation_id)}"
        now = self._client.server_now()
        held = self._links.property(draft.ticket.id, key)
        if held is None:
            self._links.put(draft.ticket.id, key, {"at": native_instant(now)})
            return
        lag = self._settings.index_lag
        lag = _LAG[self._client.is_cloud] if lag is None else lag
        if now - instant(held.get("at"), key) < lag:
            raise OutcomeUnknownError(
                f"{self._client.name}: an earlier attempt may have opened the change for"
                f" {draft.ticket.key}; the search index cannot say before {lag} are over"
            )
        # By now the index shows whatever was created, and it shows nothing.
        self._links.put(draft.ticket.id, key, {"at": native_instant(now)})

    def _create(self, draft: ChangeDraft, values: Mapping[str, Any]) -> str:
        try:
            if self._settings.mode is GateMode.STATUS:
                kind = {"issuetype": {"name": self._settings.issue_type}}
                return self._create_issue(draft, {**values, **kind})
            if self._settings.create is CreateBy.ISSUE:
                request = {**self.request_kind(), **self._approvers(draft)}
                return self._create_issue(draft, {**values, **request})
            return self._create_request(draft, values)
        except OutcomeUnknownError:
            found = self._own.find(draft.correlation_id)
            if found is None:
                raise
            return found

    def request_kind(self) -> dict[str, Any]:
        """Return the native fields that make an issue a change request.

        Raises:
            ConfigurationError: This site takes no request type with an issue.
        """
        kind, origin = self._own.request_type(), self._site.custom(REQUEST_TYPE)
        if origin is None or not kind.issue_type or not self._client.is_cloud:
            raise ConfigurationError(
                f"{self._client.name}: this site takes no request type with an issue"
            )
        return {"issuetype": {"id": kind.issue_type}, origin.id: kind.id}

    def _create_request(self, draft: ChangeDraft, values: Mapping[str, Any]) -> str:
        kind = self._own.request_type()
        if "labels" not in kind.form:
            raise ConfigurationError(
                f"{self._client.name}: the form of {kind.name!r} lacks Labels, without which a"
                " change whose creation got no answer could not be found again"
            )
        given = {name: value for name, value in values.items() if name in kind.form}
        given["labels"] = [LABEL, label_of(draft.correlation_id)]
        body = {
            "serviceDeskId": kind.desk,
            "requestTypeId": kind.id,
            "requestFieldValues": given,
        }
        return text_of(self._client.desk_post("request", body).get("issueId"))

    def _create_issue(self, draft: ChangeDraft, values: Mapping[str, Any]) -> str:
        """Create an issue with label, property and link in the one call."""
        body: dict[str, Any] = {
            "fields": {
                **values,
                "project": {"key": self._settings.project},
                "labels": [LABEL, label_of(draft.correlation_id)],
            },
            "properties": [{"key": CHANGE, "value": _identity(draft)}],
        }
        if draft.ticket.system == self._client.name:
            link = {
                "type": {"name": self._settings.link_type},
                "outwardIssue": {"id": draft.ticket.id},
            }
            body["update"] = {_LINKS: [{"add": link}]}
        try:
            response = self._client.write("POST", "issue", body, is_repeatable=False)
        except RefusedError as refused:
            # A refusal created nothing, so that the same may be sent without what was refused: a
            # screen without links takes none, and the link is made afterwards.
            body["fields"] = self._dispensable(refused, body["fields"])
            if _LINKS in refused.fields:
                del body["update"]
            response = self._client.write("POST", "issue", body, is_repeatable=False)
        return text_of(mapping(self._client.body(response), "issue").get("id"))

    def _dispensable(self, refused: RefusedError, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values without those that only help people to find the change.

        Raises:
            RefusedError: Something else was refused.
        """
        natives = (self._form.native(part) for part in (PlanField.KIND, PlanField.CORRELATION))
        names = {one.id for one in natives if one is not None} | {_LINKS}
        if not refused.fields or not set(refused.fields) <= names:
            raise refused
        return {name: value for name, value in values.items() if name not in refused.fields}

    # --- completing

    def _complete(self, issue_id: str, draft: ChangeDraft, values: Mapping[str, Any]) -> None:
        """Write what the form did not take, the property, and the link; all of it repeatable."""
        if self._links.property(issue_id, CHANGE) is None:
            rest = {**self._missing(issue_id, draft, values), **self._approvers(draft)}
            if rest:
                self._edit(issue_id, rest)
            self._links.put(issue_id, CHANGE, _identity(draft))
        if draft.ticket.system == self._client.name:
            self._links.join(issue_id, draft.ticket.id, self._settings.link_type)
        if draft.replaces:
            self._replace(issue_id, draft.replaces)

    def _edit(
        self, issue_id: str, values: dict[str, Any], *, update: Mapping[str, Any] | None = None
    ) -> None:
        path, more = f"issue/{issue_id}", {"update": dict(update)} if update else {}
        try:
            self._client.write("PUT", path, {"fields": values, **more}, is_repeatable=True)
        except RefusedError as refused:
            rest = self._dispensable(refused, values)
            self._client.write("PUT", path, {"fields": rest, **more}, is_repeatable=True)

    def _missing(
        self, issue_id: str, draft: ChangeDraft, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what the form did not take.

        What the map says of risk and the like stands back where the site's own automation has
        filled the field meanwhile: that is its calculation, and it decides who approves.
        """
        if self._settings.mode is GateMode.STATUS:
            return {}
        form = self._own.request_type().form
        rest = {name: value for name, value in values.items() if name not in form}
        natives = {self._site.field(name).id for name in draft.native} & set(rest)
        if natives:
            bean = self._client.get(f"issue/{issue_id}", {"fields": ",".join(sorted(natives))})
            held = mapping(mapping(bean, "issue").get("fields"), "issue.fields")
            rest = {name: one for name, one in rest.items() if not held.get(name)}
        return rest

    def _approvers(self, draft: ChangeDraft) -> dict[str, Any]:
        """Return the approvers to set, once and before anybody is asked, where that is ours."""
        is_ours = self._settings.approvers is Approvers.AUTHORITY
        if not is_ours or self._settings.mode is GateMode.STATUS or not draft.authority_group:
            return {}
        cloud = self._client.is_cloud
        groups = self._site.find_field(self._settings.approver_groups_field)
        if groups is not None:
            return {groups.id: [{"groupId" if cloud else "name": draft.authority_group}]}
        people = self._site.field(self._settings.approvers_field)
        members = group_members(self._client, draft.authority_group)
        return {people.id: [{"accountId" if cloud else "key": one.id} for one in members]}

    def approver_fields(self) -> tuple[NativeField, ...]:
        """Return the fields that name the approvers, as far as the site has them."""
        names = (self._settings.approvers_field, self._settings.approver_groups_field)
        found = (self._site.find_field(name) for name in names)
        return tuple(one for one in found if one is not None)

    def _replace(self, issue_id: str, replaced: str) -> None:
        bean = self._client.find(f"issue/{replaced}", {"fields": "summary"})
        if bean is not None:
            other = text_of(mapping(bean, "issue").get("id"))
            self._links.join(issue_id, other, self._settings.link_type)

    def fields_to_read(self) -> tuple[str, ...]:
        """Return the native fields of plan and approvers."""
        approvers = tuple(one.id for one in self.approver_fields())
        return (*self._form.ids(), *approvers)


def _identity(draft: ChangeDraft) -> dict[str, Any]:
    return {
        "correlation": draft.correlation_id,
        "plan": draft.plan_digest,
        "ticket": f"{draft.ticket.system}:{draft.ticket.id}",
        "replaces": draft.replaces,
    }
