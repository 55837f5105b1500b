"""The plan that approvers approve: one canonical document, one digest, one rendering."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.domain.action import BoundAction, BoundTarget, Tier
from engine.domain.canonical import JSON, digest
from engine.domain.decision import ChangeKind, TemplatePin, Window
from engine.domain.refs import Account, TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will run, on what, for whom, why, until when: revised, never edited.

    `requester` and `subject_person` are person keys with names; `ends_at` is the end of a
    time-boxed
    action, whose removal is part of this same plan. `template` is the pinned template of a standard
    change, whose standing approval this plan rests on; None: it is approved on its own.
    """

    revision: int
    ticket: TicketRef
    bound: BoundAction
    requester_key: str
    requester_name: str
    subject_key: str
    subject_name: str
    tier: Tier
    reasons: tuple[str, ...]
    authority: str
    authority_group: str
    least_approvers: int
    window: Window
    expires_at: datetime
    ends_at: datetime | None = None
    template: TemplatePin | None = None

    def document(self) -> Mapping[str, JSON]:
        """Return the canonical document; the digest is taken over exactly this.

        A plan without a template has no key for it: digests of earlier plans stay what they were.
        """
        return {**self._terms(), **_pinned(self.template)}

    def _terms(self) -> dict[str, JSON]:
        return {
            "action": self.bound.action,
            "v": self.bound.version,
            "at": self.bound.system,
            "subject": _target(self.bound.subject),
            "targets": {name: _target(target) for name, target in self.bound.targets.items()},
            "values": dict(self.bound.values),
            "requester": {"person": self.requester_key, "name": self.requester_name},
            "for": {"person": self.subject_key, "name": self.subject_name},
            "ticket": {"system": self.ticket.system, "id": self.ticket.id, "key": self.ticket.key},
            "tier": int(self.tier),
            "reasons": list(self.reasons),
            "authority": {"name": self.authority, "group": self.authority_group},
            "least_approvers": self.least_approvers,
            "window": {
                "earliest": _instant(self.window.earliest),
                "latest": _instant(self.window.latest),
            },
            "expires": _instant(self.expires_at),
            "ends": _instant(self.ends_at),
            "revision": self.revision,
        }

    @property
    def digest(self) -> str:
        """`sha256:` and hex, over the canonical document."""
        return digest(self.document())

    @property
    def code(self) -> str:
        """A short code that people can write in a note: eight hex digits of the digest."""
        return self.digest.removeprefix("sha256:")[:8]


def _pinned(pin: TemplatePin | None) -> dict[str, JSON]:
    if pin is None:
        return {}
    return {"template": {"id": pin.id, "version": pin.version, "proposal": pin.proposal}}


def _target(target: BoundTarget) -> Mapping[str, JSON]:
    return {"kind": str(target.kind), "id": target.id, "name": target.name}


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanText:
    """The plan as approvers read it, one text per native field; whole, never cut."""

    short_description: str
    description: str
    justification: str
    risk_and_impact: str
    implementation: str
    test: str
    backout: str

    def fields(self) -> Mapping[str, str]:
        """Return field name to text, in reading order.

        What was submitted is compared over these.
        """
        return {
            "short_description": self.short_description,
            "description": self.description,
            "justification": self.justification,
            "risk_and_impact": self.risk_and_impact,
            "implementation": self.implementation,
            "test": self.test,
            "backout": self.backout,
        }

    @property
    def digest(self) -> str:
        """Digest over the texts as they stand, with line ends and outer blanks folded."""
        return digest({name: fold(text) for name, text in self.fields().items()})


def fold(text: str) -> str:
    """Fold what vendors change on the way (line ends, trailing blanks), and nothing else."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDraft:
    """The content of a change before the remote system has numbered it.

    `correlation_id` carries installation, ticket, attempt and revision; it is how the record is
    found
    again. `native` are values for fields that decide who approves (risk, impact, group, category,
    ...).
    """

    correlation_id: str
    plan_digest: str
    text: PlanText
    kind: ChangeKind
    window: Window
    ticket: TicketRef
    requested_by: Account | None
    authority_group: str
    native: Mapping[str, str] = field(default_factory=dict[str, str])
    template: str = ""
    template_version: str = ""
    replaces: str = ""
