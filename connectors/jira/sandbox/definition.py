"""The site's definition, read from site.yaml: stock lists, fields, workflows, templates."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from ruamel.yaml import YAML

from connectors.jira.sandbox.wire import Json, Row

FIRST_OPTION = 10100
"""Options of select fields are numbered from here in the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a select field."""

    id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """A field of the site, system or custom."""

    id: str
    name: str
    kind: str
    clauses: tuple[str, ...]
    custom: str
    searchable: bool
    navigable: bool
    orderable: bool
    editable: bool
    required: bool
    cloud_only: bool
    type_name: str
    options: tuple[Option, ...]

    def option(self, key: str) -> Option | None:
        """Return the option with this id or value (case does not matter for the value)."""
        for one in self.options:
            if key == one.id or key.casefold() == one.value.casefold():
                return one
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An arrow of a workflow."""

    id: str
    name: str
    sources: tuple[str, ...] | None
    """Statuses it starts from; None means any."""
    target: str
    screen: tuple[str, ...]
    needs: tuple[str, ...]
    resolution: str | None
    internal: bool
    customer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalStep:
    """The approval configuration of a status."""

    status: str
    name: str
    fields: tuple[str, ...]
    condition: Mapping[str, Json]
    approve: str
    decline: str
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """Statuses, arrows and approval steps."""

    name: str
    initial: str
    screen: tuple[str, ...]
    statuses: tuple[str, ...]
    transitions: tuple[Transition, ...]
    approvals: Mapping[str, ApprovalStep]

    def leaving(self, status: str) -> list[Transition]:
        """Return the arrows that start at a status."""
        return [one for one in self.transitions if one.sources is None or status in one.sources]

    def transition(self, number: str) -> Transition | None:
        """Return the arrow with an id."""
        return next((one for one in self.transitions if one.id == number), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Everything of site.yaml, indexed."""

    raw: Mapping[str, Json]
    categories: Mapping[str, Row]
    statuses: Mapping[str, Row]
    priorities: Mapping[str, Row]
    resolutions: Mapping[str, Row]
    types: Mapping[str, Row]
    link_types: Mapping[str, Row]
    fields: Mapping[str, FieldSpec]
    workflows: Mapping[str, Workflow]
    templates: Mapping[str, Row]
    permissions: Mapping[str, frozenset[str]]
    roles: Mapping[str, str]
    """Role id by role name."""

    def workflow(self, template: str, issue_type: str) -> Workflow:
        """Return the workflow of an issue type (by id) in projects of a template."""
        chosen: Mapping[str, str] = self.templates[template]["workflows"]
        return self.workflows[chosen[self.types[issue_type]["name"]]]

    def types_of(self, template: str) -> list[Row]:
        """Return the issue types of projects of a template."""
        wanted = set(self.templates[template]["workflows"])
        return [one for one in self.types.values() if one["name"] in wanted]

    def category_of(self, status: str) -> Row:
        """Return the category of a status."""
        return self.categories[self.statuses[status]["category"]]

    def find(self, table: Mapping[str, Row], key: str) -> Row | None:
        """Return the entry of a stock list with this id or name."""
        if key in table:
            return table[key]
        wanted = key.casefold()
        return next((one for one in table.values() if one["name"].casefold() == wanted), None)

    def field_named(self, name: str) -> FieldSpec | None:
        """Return the field with this id, name or clause name."""
        if name in self.fields:
            return self.fields[name]
        wanted = name.casefold()
        for one in self.fields.values():
            known = (one.name, *one.clauses, _clause(one.id))
            if any(wanted == each.casefold() for each in known):
                return one
        return None


def _clause(field_id: str) -> str:
    return f"cf[{field_id.removeprefix('customfield_')}]"


@functools.cache
def load_definition() -> Definition:
    """Read site.yaml."""
    text = resources.files("connectors.jira.sandbox").joinpath("site.yaml").read_text("utf-8")
    raw = YAML(typ="safe", pure=True).load(text)
    return Definition(
        raw=raw,
        categories={one["key"]: one for one in raw["categories"]},
        statuses={one["id"]: one for one in raw["statuses"]},
        priorities={one["id"]: one for one in raw["priorities"]},
        resolutions={one["id"]: one for one in raw["resolutions"]},
        types={one["id"]: one for one in raw["issue_types"]},
        link_types={one["id"]: one for one in raw["link_types"]},
        fields=_fields(raw["fields"]),
        workflows={
            name: _workflow(name, one, raw["screens"]) for name, one in raw["workflows"].items()
        },
        templates=raw["templates"],
        permissions={name: frozenset(held) for name, held in raw["permissions"].items()},
        roles={one["name"]: one["id"] for one in raw["roles"]},
    )


def _fields(raw: list[Row]) -> dict[str, FieldSpec]:
    known: dict[str, FieldSpec] = {}
    number = FIRST_OPTION
    for one in raw:
        own = one.get("first_option")
        first = number if own is None else own
        options = [
            Option(id=str(first + place), value=value)
            for place, value in enumerate(one.get("options", ()))
        ]
        number += 0 if own is not None else len(options)
        flags: str = one["flags"]
        clauses = one.get("clauses", [_clause(one["id"]), one["name"]])
        known[one["id"]] = FieldSpec(
            id=one["id"],
            name=one["name"],
            kind=one["kind"],
            clauses=tuple(clauses),
            custom=one.get("custom", ""),
            searchable="s" in flags,
            navigable="n" in flags,
            orderable="o" in flags,
            editable="e" in flags,
            required=bool(one.get("required")),
            cloud_only=bool(one.get("cloud")),
            type_name=one.get("type_name", ""),
            options=tuple(options),
        )
    return known


def _workflow(name: str, raw: Row, screens: Mapping[str, list[str]]) -> Workflow:
    return Workflow(
        name=name,
        initial=raw["initial"],
        screen=tuple(screens[raw["screen"]]),
        statuses=tuple(raw["statuses"]),
        transitions=tuple(_transition(one) for one in raw["transitions"]),
        approvals={one["status"]: _step(one) for one in raw.get("approvals", ())},
    )


def _transition(raw: Row) -> Transition:
    sources = raw["from"]
    return Transition(
        id=raw["id"],
        name=raw["name"],
        sources=None if sources == "any" else tuple(sources),
        target=raw["to"],
        screen=tuple(raw.get("screen", ())),
        needs=tuple(raw.get("needs", ())),
        resolution=raw.get("resolution"),
        internal=bool(raw.get("internal")),
        customer=bool(raw.get("customer")),
    )


def _step(raw: Row) -> ApprovalStep:
    return ApprovalStep(
        status=raw["status"],
        name=raw["name"],
        fields=tuple(raw["fields"]),
        condition=raw["condition"],
        approve=raw["approve"],
        decline=raw["decline"],
        exclude=tuple(raw.get("exclude", ())),
    )
