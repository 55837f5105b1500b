"""What a site is made of: fields by name, request types with their forms, link types.

Ids differ from site to site, so everything is found by name and may be overridden by id. Read once
and kept for some minutes; a name that two fields share is an error, never the first of them.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from connectors.jira.client import JiraClient
from connectors.jira.values import Payload, listing, mapping, text_of
from engine.errors import InvalidAnswerError, PermanentError, RecordNotFoundError
from engine.ports.clock import Clock

T = TypeVar("T")
_KEPT = timedelta(minutes=10)
REQUEST_TYPE = "com.atlassian.servicedesk:vp-origin"
APPROVALS = "com.atlassian.servicedesk.approvals-plugin:sd-approvals"


class FieldUnknownError(PermanentError):
    """The site has no field of this name or id, or several of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeField:
    """One field of the site; `kind` is the schema's type, `items` that of its members."""

    id: str
    name: str
    kind: str
    items: str
    custom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestType:
    """One request type with its form: field id to label; and the id of its issue type."""

    id: str
    name: str
    desk: str
    issue_type: str = ""
    form: Mapping[str, str] = field(default_factory=dict[str, str])


class Site:
    """The site's own lists, read when first needed."""

    def __init__(self, client: JiraClient, clock: Clock) -> None:
        """Keep the client; no I/O."""
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], tuple[datetime, object]] = {}

    def _cached(self, key: tuple[str, ...], load: Callable[[], T]) -> T:
        with self._lock:
            found = self._kept.get(key)
        if found is not None and self._clock.now() - found[0] < _KEPT:
            return found[1]  # type: ignore[return-value]  # each key holds one kind of value  # pyright: ignore[reportReturnType]
        loaded = load()
        with self._lock:
            self._kept[key] = (self._clock.now(), loaded)
        return loaded

    def forget(self) -> None:
        """Read everything again when next needed."""
        with self._lock:
            self._kept.clear()

    # --- fields

    def fields(self) -> tuple[NativeField, ...]:
        """Return every field of the site."""
        return self._cached(("fields",), self._load_fields)

    def _load_fields(self) -> tuple[NativeField, ...]:
        return tuple(_field(one) for one in listing(self._client.get("field"), "field"))

    def field(self, name: str) -> NativeField:
        """Return the field with this id, or the one with this name.

        Raises:
            FieldUnknownError: There is none, or the name stands for several.
        """
        found = self.find_field(name)
        if found is None:
            raise FieldUnknownError(f"{self._client.name}: no field is called {name!r}")
        return found

    def find_field(self, name: str) -> NativeField | None:
        """Return the field with this id, or the one with this name; None where there is none.

        Raises:
            FieldUnknownError: The name stands for several.
        """
        by_id = [one for one in self.fields() if one.id == name]
        named = by_id or [
            one for one in self.fields() if one.name.casefold() == name.strip().casefold()
        ]
        if len(named) > 1:
            ids = ", ".join(one.id for one in named)
            raise FieldUnknownError(
                f"{self._client.name}: several fields are called {name!r} ({ids}); use an id"
            )
        return named[0] if named else None

    def custom(self, kind: str) -> NativeField | None:
        """Return the one field of this custom type; None where there is none."""
        return next((one for one in self.fields() if one.custom == kind), None)

    # --- request types

    def desk_of(self, project: str) -> str:
        """Return the id of the service desk of a project.

        Raises:
            RecordNotFoundError: The project has none, or we may not see it.
        """
        return self._cached(("desk", project), lambda: self._load_desk(project))

    def _load_desk(self, project: str) -> str:
        for one in self._client.desk_pages("servicedesk"):
            if project in {one.get("projectKey"), one.get("projectId"), one.get("projectName")}:
                return text_of(one.get("id"))
        raise RecordNotFoundError(f"{self._client.name}: no service desk for project {project}")

    def request_type(self, project: str, name: str) -> RequestType:
        """Return the request type of a project by name or id, with its form.

        Raises:
            RecordNotFoundError: There is none.
            InvalidAnswerError: The name stands for several.
        """
        desk = self.desk_of(project)
        types = self._cached(("types", desk), lambda: self._load_types(desk))
        wanted = name.strip().casefold()
        found = [one for one in types if one[0] == name] or [
            one for one in types if one[1].casefold() == wanted
        ]
        if not found:
            raise RecordNotFoundError(f"{self._client.name}: no request type {name!r} in {project}")
        if len(found) > 1:
            raise InvalidAnswerError(f"{self._client.name}: several request types {name!r}")
        type_id, label, issue_type = found[0]
        return replace(self.form(desk, type_id, label), issue_type=issue_type)

    def _load_types(self, desk: str) -> tuple[tuple[str, str, str], ...]:
        pages = self._client.desk_pages(f"servicedesk/{desk}/requesttype")
        return tuple(
            (text_of(one.get("id")), text_of(one.get("name")), text_of(one.get("issueTypeId")))
            for one in pages
        )

    def form(self, desk: str, type_id: str, name: str) -> RequestType:
        """Return a request type with its form."""
        return self._cached(("form", desk, type_id), lambda: self._load_form(desk, type_id, name))

    def _load_form(self, desk: str, type_id: str, name: str) -> RequestType:
        bean = self._client.desk_get(f"servicedesk/{desk}/requesttype/{type_id}/field")
        fields = listing(bean.get("requestTypeFields"), "requestTypeFields")
        return RequestType(
            id=type_id,
            name=name,
            desk=desk,
            form={text_of(one.get("fieldId")): text_of(one.get("name")) for one in fields},
        )

    def create_screen(self, project: str, issue_type: str) -> frozenset[str]:
        """Return the ids of the fields that our account may set when it creates such an issue.

        Raises:
            RecordNotFoundError: It may not create this type there.
        """
        path = f"issue/createmeta/{project}/issuetypes/{issue_type}"
        key = "fields" if self._client.is_cloud else "values"
        return self._cached(
            ("screen", project, issue_type),
            lambda: frozenset(
                text_of(one.get("fieldId")) for one in self._client.pages(path, key, {})
            ),
        )

    def known_forms(self) -> Iterable[str]:
        """Return the field ids of all forms read so far."""
        with self._lock:
            held = [value for _, value in self._kept.values()]
        return {key for one in held if isinstance(one, RequestType) for key in one.form}


def _field(bean: Payload) -> NativeField:
    schema: Mapping[str, Any] = mapping(bean.get("schema") or {}, "field.schema")
    return NativeField(
        id=text_of(bean.get("id")),
        name=text_of(bean.get("name")),
        kind=text_of(schema.get("type")),
        items=text_of(schema.get("items")),
        custom=text_of(schema.get("custom")),
    )


def native_value(one: NativeField, text: str, *, is_cloud: bool) -> object:
    """Return `text` as the value that an edit of this field takes.

    Raises:
        InvalidAnswerError: A kind of field that we do not write.
    """
    by_id = "groupId" if is_cloud else "name"
    single: Mapping[str, object] = {
        "string": text,
        "option": {"value": text},
        "priority": {"name": text},
        "group": {"name": text},
        "component": {"name": text},
        "version": {"name": text},
        "user": {"accountId" if is_cloud else "name": text},
        "datetime": text,
        "date": text,
    }
    if one.kind == "array" and one.items == "group":
        return [{by_id: text}]
    kind = one.items if one.kind == "array" else one.kind
    if kind not in single:
        raise InvalidAnswerError(f"field {one.name}: kind {one.kind} is not one that we write")
    return [single[kind]] if one.kind == "array" else single[kind]
