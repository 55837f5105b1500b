"""What rules see of a ticket's facts: the vocabulary's names and types, nothing else."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from config.vocabulary import PERSON, TICKET, Kind, Members
from engine.domain.action import ActionSpec, ParameterKind
from engine.domain.calendar import Calendar
from engine.domain.canonical import JSON
from engine.domain.decision import DecisionFacts

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """Builds the documents that rules are evaluated on; total, and blind to the ticket's words."""

    names: Members
    calendars: Mapping[str, Calendar]

    def of(
        self, facts: DecisionFacts, spec: ActionSpec, ordinary: Collection[str] | None
    ) -> dict[str, JSON]:
        """Return the documents; a fact that is missing stays missing, so that rules fail loudly."""
        return {
            "action": facts.action,
            "authenticated": facts.is_authenticated,
            "subject_is_requester": facts.subject_is_requester,
            "ticket": _known(facts.ticket, TICKET),
            "requester": _known(facts.requester, PERSON),
            "subject": _known(facts.subject, PERSON),
            "params": self._parameters(facts, spec, ordinary),
            "calendar": {name: cal.is_open(facts.at) for name, cal in self.calendars.items()},
        }

    def _parameters(
        self, facts: DecisionFacts, spec: ActionSpec, ordinary: Collection[str] | None
    ) -> dict[str, JSON]:
        shapes = self.names.of["params"]
        found: dict[str, JSON] = {}
        for parameter in spec.parameters:
            value = facts.params.get(parameter.name)
            shape = shapes.of.get(parameter.name) if isinstance(shapes, Members) else None
            if value is None or shape is None:
                continue
            if isinstance(shape, Members):
                document = _known(value, shape) if isinstance(value, Mapping) else {}
                if parameter.kind is ParameterKind.GROUP:
                    document["ordinary"] = is_ordinary(document, ordinary)
                found[parameter.name] = document
            else:
                found[parameter.name] = _plain(value)
        return found


def is_ordinary(group: Mapping[str, JSON], listed: Collection[str] | None) -> bool:
    """Whether a group is ordinary: the directory says so, and the map, where it lists any.

    The directory's word means that its settings list the group, that nothing is nested into or
    above it, and that it carries no adminCount. A silent directory means no.
    """
    if group.get("ordinary") is not True or group.get("nested") is True:
        return False
    if listed is None:
        return True
    names = {str(group.get(key, "")).casefold() for key in ("id", "name")} - {""}
    return bool(names & {name.casefold() for name in listed})


def _known(document: Mapping[str, JSON], shape: Members) -> dict[str, JSON]:
    return {
        name: _typed(document[name], kind) for name, kind in shape.of.items() if name in document
    }


def _typed(value: JSON, shape: object) -> JSON:
    """Return the value as the vocabulary's type; directory facts come as texts."""
    if shape is Kind.BOOL and isinstance(value, str):
        return _TRUTH.get(value.strip().lower(), value)
    if shape is Kind.NUMBER and isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return _plain(value)


def _plain(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
