"""Renders plans, notes and mails from template files that an admin may replace one by one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.escaping import FILTERS, Safe, printed, whole
from engine.domain.action import Backout, BoundTarget
from engine.domain.plan import Plan, PlanText
from engine.errors import ConfigurationError, DoesNotFitError, Place
from engine.ports.rendering import PlanContext, TemplateFacts

TEMPLATES = Path(__file__).resolve().parent / "templates"
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "short_description": 160,
        "description": 4000,
        "justification": 4000,
        "risk_and_impact": 4000,
        "implementation": 4000,
        "test": 4000,
        "backout": 4000,
    }
)
"""Characters that every vendor's field holds (ServiceNow: 160 and 4000; Jira holds more)."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ABSENT: Mapping[str, object] = MappingProxyType(
    {
        **dict.fromkeys(("ticket", "change", "plan", "secret", "person", "requester", "subject")),
        **dict.fromkeys(
            ("action", "tier", "gate", "confidence", "intent", "model", "tier_map_digest"), ""
        ),
        **dict.fromkeys(("candidate", "abstained_because"), ""),
        "text": MappingProxyType({}),
        **dict.fromkeys(("hand_over", "stage", "reason", "name", "why", "phase", "waited"), ""),
        **dict.fromkeys(("evidence", "reasons", "kept", "did", "related"), ()),
        "routed": MappingProxyType({}),
    }
)
"""What a note may name although this occasion has nothing to say of it."""


class TemplateRenderer:
    """Sandboxed Jinja2 over the admin's folder first, the shipped one second.

    Implements `engine.ports.brains.PlanRenderer`. A name that neither facts nor templates know is
    an error, never an empty text.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = [folder, TEMPLATES] if folder else [TEMPLATES]
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([str(path) for path in self._folders]),
            undefined=StrictUndefined,
            autoescape=False,
            finalize=printed,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update({**FILTERS, "instant": instant, "short": short})
        # A note may cap what it tells; of a plan nothing is cut, it fits or is handed over.
        self._plans = self._environment.overlay(finalize=whole)

    def names(self) -> tuple[str, ...]:
        """Return the templates there are."""
        listed = self._environment.list_templates(extensions=["j2"])
        return tuple(sorted(name.removesuffix(".j2") for name in listed))

    def check(self, *needed: str) -> None:
        """Compile every template, and see that the `needed` ones are there.

        Raises:
            ConfigurationError: A template cannot be used, with its place, or is missing.
        """
        for name in (*self.names(), *needed):
            self._template(name)

    def render(self, template: str, facts: TemplateFacts) -> str:
        """Return a note, comment or mail.

        Raises:
            ConfigurationError: No such template, or it asks for what the facts do not have.
        """
        return _folded(self._rendered(template, {**_ABSENT, **facts}))

    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        """Return the texts that approvers read; whole, or not at all.

        Raises:
            DoesNotFitError: A text is longer than approvers' fields hold.
            ConfigurationError: A template cannot be used.
        """
        facts = _plan_facts(plan, context)
        texts = {
            name: _folded(self._rendered(f"plan_{name}", facts, self._plans)) for name in LIMITS
        }
        for name, text in texts.items():
            if len(text) > LIMITS[name]:
                message = f"{name} of the plan has {len(text)} characters, its field {LIMITS[name]}"
                raise DoesNotFitError(message)
            if not text:
                raise ConfigurationError(f"template plan_{name} renders nothing")
        return PlanText(**texts)

    def _rendered(
        self,
        name: str,
        facts: Mapping[str, object],
        environment: Environment | None = None,
    ) -> str:
        template = self._template(name, environment or self._environment)
        try:
            return str(template.render(**facts))
        except DoesNotFitError:
            raise
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            message = f"template {name} cannot be rendered ({type(error).__name__}: {error})"
            raise ConfigurationError(message) from error

    def _template(self, name: str, environment: Environment | None = None) -> Any:  # noqa: ANN401  Jinja's own template type is generated
        try:
            return (environment or self._environment).get_template(f"{name}.j2")
        except TemplateSyntaxError as error:
            place = Place(file=error.filename or name, line=error.lineno, column=1)
            raise ConfigurationError(f"is no template: {error.message}", place=place) from error
        except TemplateNotFound as error:
            raise ConfigurationError(f"there is no template {error.name!r}") from error


def instant(value: datetime | str | None) -> Safe:
    """Return `20 Nov 2026 18:00 UTC`, in any locale; facts carry instants as ISO texts."""
    if not value:
        return Safe("no date")
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    moment = moment.astimezone(UTC)
    month = _MONTHS[moment.month - 1]
    return Safe(f"{moment.day} {month} {moment.year} {moment:%H:%M} UTC")


def short(value: object) -> Safe:
    """Return the first eight characters of a digest or stable id."""
    text = str(value).removeprefix("sha256:")
    return Safe(printed(text[:8]))


def _folded(text: str) -> str:
    """Return the text without trailing blanks and without more than one empty line in a row."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        stripped = line.rstrip()
        if stripped or (lines and lines[-1]):
            lines.append(stripped)
    return "\n".join(lines)


def _plan_facts(plan: Plan, context: PlanContext) -> dict[str, object]:
    return {
        "plan": plan,
        "action": context.action,
        "ticket": context.ticket,
        "classification": context.classification,
        "confidence": f"{context.classification.confidence:.2f}",
        "subject": context.described.get("subject", plan.bound.subject),
        "targets": {
            name: context.described.get(name, target) for name, target in plan.bound.targets.items()
        },
        "values": dict(plan.bound.values),
        "target_names": [_named(target) for target in plan.bound.targets.values()],
        "neighbours": context.neighbours,
        "tier_map_digest": context.tier_map_digest,
        "document": plan.document(),
        "is_reversible": context.action.backout is Backout.INVERSE,
        "score": context.risk or context.action.least_risk,
    }


def _named(target: BoundTarget) -> str:
    return f"{target.name} (id {target.id})"
