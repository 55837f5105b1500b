"""What a classifier learns from: the catalogue's phrases and forms, as the tier map names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.domain.action import ParameterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogForm:
    """A catalog item or request type that means one action.

    `variables` maps the form's variables to the action's parameters; `subject` is the variable that
    names whose account it is, "" for the requester's own.
    """

    id: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionExamples:
    """One action as a classifier knows it; `subject_rule` is `requester` or `named`."""

    name: str
    phrases: tuple[str, ...]
    parameters: tuple[ParameterSpec, ...] = ()
    subject_rule: str = "requester"
    route: Mapping[str, str] = field(default_factory=dict[str, str])
    forms: tuple[CatalogForm, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteExamples:
    """Texts that no action covers, and the triage fields they belong to."""

    route: Mapping[str, str]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Everything a classifier learns from; the same set always gives the same classifier.

    `threshold` is the least confidence with which an intent is named at all (an action's own
    threshold in the tier map comes on top); `novelty` the quantile of the training phrases' own
    similarity below which a text is novel. None: the classifier's own defaults.
    """

    actions: tuple[ActionExamples, ...]
    routes: tuple[RouteExamples, ...] = ()
    seed: int = 20261120
    threshold: float | None = None
    novelty: float | None = None
