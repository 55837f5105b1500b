"""The closed catalogue: what an action is called, needs and at least risks. Code owns it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Tier(IntEnum):
    """How much human approval an action needs; higher wins."""

    ONE = 1
    TWO = 2
    THREE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskScores:
    """Three scores 0..3; their sum, or any 3, decides an action's floor tier."""

    blast_radius: int
    irreversibility: int
    regulatory: int

    def __post_init__(self) -> None:
        for name in ("blast_radius", "irreversibility", "regulatory"):
            if getattr(self, name) not in range(4):
                raise ValueError(f"risk score {name} must be 0, 1, 2 or 3")

    @property
    def floor(self) -> Tier:
        """Sum 0..1 is tier 1, 2..3 tier 2, 4 and more or any 3 tier 3."""
        scores = (self.blast_radius, self.irreversibility, self.regulatory)
        if max(scores) == 3 or sum(scores) >= 4:  # noqa: PLR2004  the scale itself, stated above
            return Tier.THREE
        return Tier.TWO if sum(scores) > 1 else Tier.ONE

    def is_at_least(self, other: "RiskScores") -> bool:
        """Whether no score is below the other's."""
        return (
            self.blast_radius >= other.blast_radius
            and self.irreversibility >= other.irreversibility
            and self.regulatory >= other.regulatory
        )


class ParameterKind(StrEnum):
    """What a parameter's text is bound to."""

    PERSON = "person"
    GROUP = "group"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """One parameter of an action."""

    name: str
    kind: ParameterKind
    is_required: bool
    does: str


class Backout(StrEnum):
    """What can be done when verification fails."""

    INVERSE = "inverse"
    CANNOT_BE_UNDONE = "cannot_be_undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One action of the catalogue.

    `may_repeat` says whether running it twice with the same effect key leaves the target as once
    would;
    an action that may not is verified, never repeated, when its outcome is unknown.
    `inverse` names the action that takes it back, where one exists.
    """

    name: str
    version: int
    does: str
    parameters: tuple[ParameterSpec, ...]
    least_risk: RiskScores
    backout: Backout
    may_repeat: bool
    inverse: str = ""
    precondition: str = ""
    verification: str = ""


Catalogue = Mapping[str, ActionSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundTarget:
    """A record at the fulfilment target, by its stable id; the name is for people.

    `facts` are plain texts the plan shows (member count, `ordinary`, distinguished name).
    """

    kind: ParameterKind
    id: str
    name: str
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundAction:
    """An action with subject and targets resolved to stable ids at a fulfilment system."""

    action: str
    version: int
    system: str
    subject: BoundTarget
    targets: Mapping[str, BoundTarget] = field(default_factory=dict[str, BoundTarget])
    values: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def touched(self) -> frozenset[str]:
        """The stable ids of all that it is about: its subject and its targets."""
        return frozenset({self.subject.id, *(target.id for target in self.targets.values())})
