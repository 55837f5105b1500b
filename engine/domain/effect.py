"""One call that changes a target: intent before, outcome after, exactly once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EffectPhase(StrEnum):
    """Where an effect stands.

    A found INTENT of a dead attempt is verified, never run blindly again. WITHHELD is an intent
    that was never fired and whose handling went back to waiting: its approval stays consumed, and
    only the store that holds it makes it an INTENT again.
    """

    INTENT = "intent"
    WITHHELD = "withheld"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BACKED_OUT = "backed_out"


class EffectKind(StrEnum):
    """The calls a handling may make to a target."""

    IMPLEMENT = "implement"
    BACK_OUT = "back_out"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect; `key` is unique for ever.

    `owner`, `lease_until` and `fence` say who may fire and until when; `baseline` is what the
    target
    looked like before (never a secret), so that verification and backout know what this run
    changed.
    """

    key: str
    handling: str
    kind: EffectKind
    action: str
    phase: EffectPhase
    owner: str
    lease_until: datetime
    fence: int
    started_at: datetime
    baseline: Mapping[str, str] = field(default_factory=dict[str, str])
    finished_at: datetime | None = None
    verified: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict[str, str])


def effect_key(*, installation: str, handling: str, plan_digest: str, kind: EffectKind) -> str:
    """Return the one key of this effect.

    The same after every restart, different for any other plan.
    """
    text = f"{installation}\x1f{handling}\x1f{plan_digest}\x1f{kind}"
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an effect or its verification saw at the target: plain facts, never a secret.

    `is_partly_ours`: not as planned, but the part that is there can only come from this very
    effect (its derived secret opens), so that repeating it finishes what was begun.
    """

    is_as_planned: bool
    facts: Mapping[str, str]
    because: str = ""
    is_partly_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """One use of one approval: the unique key that makes a second use impossible."""

    system: str
    change_id: str
    revision: int
    plan_digest: str
