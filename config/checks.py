"""What a well-formed tier map must still satisfy: references, scores, expressions, calendars."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from config.business_time import (
    DEFAULT_EXPIRES,
    BusinessTime,
    build_business_time,
    check_terms,
)
from config.document import Document, Loc
from config.expressions import ExpressionError, compared_literals, compile_expression
from config.policy import ActionPolicy, Rule, TierFreeze, stricter
from config.problems import Problems, unknown
from config.tier_models import ActionSection, GateSection, TierMapFile
from config.units import parse_instant, parse_zone
from config.vocabulary import Members
from engine.domain.action import ActionSpec, Catalogue, ParameterKind, RiskScores, Tier
from engine.domain.decision import Authority, ChangeKind, Freeze, GatePolicy
from engine.domain.stage import Gate

_GATES = {"none": Gate.NONE, "desk": Gate.DESK, "change": Gate.CHANGE, "person": Gate.PERSON}
_SCORES = ("blast_radius", "irreversibility", "regulatory")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapChecker:
    """Compiles the parts of one map, adding every mistake to `problems`."""

    document: Document
    file: TierMapFile
    catalogue: Catalogue
    systems: Collection[str] | None
    problems: Problems
    broken: frozenset[Loc] = frozenset()
    _authorities: dict[str, Authority] = field(default_factory=dict[str, Authority])
    _business: list[BusinessTime] = field(default_factory=list[BusinessTime])

    def __post_init__(self) -> None:
        for name, groups in self.file.authorities.items():
            self._authorities[name] = Authority(name=name, groups=MappingProxyType(dict(groups)))

    def authorities(self) -> dict[str, Authority]:
        """Return the authorities by name."""
        return dict(self._authorities)

    def _add(self, loc: Loc, message: str, *, key: bool = False) -> None:
        self.problems.add(self.document.place(loc, key=key), message)

    def _names(self, section: str, known: Collection[str]) -> set[str]:
        """Return the names of a section, those of its broken entries too."""
        return set(known) | {str(loc[1]) for loc in self.broken if loc[0] == section}

    def _authority(self, name: str | None, loc: Loc) -> Authority | None:
        if name is None:
            return None
        known = self._names("authorities", self._authorities)
        if name not in known:
            self._add(loc, unknown("authority", name, known))
        return self._authorities.get(name)

    def business_time(self, folder: Path) -> BusinessTime:
        """Return calendars and boards; holiday files stand in `folder`."""
        found = build_business_time(self.file, folder, self._add)
        self._business.append(found)
        return found

    def freezes(self) -> tuple[TierFreeze, ...]:
        """Return the freezes as instants."""
        found: list[TierFreeze] = []
        for number, section in enumerate(self.file.freezes):
            at: Loc = ("freezes", number)
            zone = parse_zone(section.timezone)
            try:
                begins = parse_instant(section.from_, zone)
            except ValueError as error:
                self._add((*at, "from"), f'"{section.from_}" does not fit ({error})')
                continue
            try:
                ends = parse_instant(section.to, zone, is_end=True)
            except ValueError as error:
                self._add((*at, "to"), f'"{section.to}" does not fit ({error})')
                continue
            if ends <= begins:
                self._add((*at, "to"), f'"{section.to}" is not after "{section.from_}"')
                continue
            found.append(
                TierFreeze(
                    freeze=Freeze(name=section.name, begins_at=begins, ends_at=ends),
                    tiers=frozenset(Tier(tier) for tier in section.tiers),
                )
            )
        return tuple(found)

    def rules(self, names: Members) -> tuple[Rule, ...]:
        """Return the compiled rules in the order of the file."""
        found: list[Rule] = []
        for number, section in enumerate(self.file.rules):
            at: Loc = ("rules", number)
            if at in self.broken:
                continue
            if section.tier is None and section.gate is None:
                self._add(at, "a rule without effect (expected tier, gate or both)")
            self._authority(section.authority, (*at, "authority"))
            try:
                when = compile_expression(section.when, names)
            except ExpressionError as error:
                place = self.document.inside((*at, "when"), error.column)
                self.problems.add(place, error.message)
                continue
            self._action_names(section.when, (*at, "when"))
            found.append(
                Rule(
                    number=number + 1,
                    when=when,
                    because=section.because,
                    tier=Tier(section.tier) if section.tier else None,
                    gate=_GATES[section.gate] if section.gate else None,
                    authority=section.authority,
                )
            )
        return tuple(found)

    def _action_names(self, source: str, loc: Loc) -> None:
        """Check the texts that a rule compares with `action`: a typing error never matches."""
        for name, column in compared_literals(source, "action"):
            if name not in self.catalogue:
                place = self.document.inside(loc, column)
                self.problems.add(place, unknown("action", name, self.catalogue))

    def actions(self) -> dict[str, ActionPolicy]:
        """Return the actions, each with its gate's terms resolved."""
        found: dict[str, ActionPolicy] = {}
        for name, section in self.file.actions.items():
            at: Loc = ("actions", name)
            spec = self.catalogue.get(name)
            if spec is None:
                self._add(at, unknown("action", name, self.catalogue), key=True)
                continue
            if self.systems is not None and section.target not in self.systems:
                self._add((*at, "target"), unknown("system", section.target, self.systems))
            risk = self._risk(section, spec, at)
            self._catalog_items(section, spec, at)
            gate = self._gate_policy(section, at)
            if gate is not None:
                kind = section.gate.kind or self.file.gate.kind or "change"
                found[name] = ActionPolicy(
                    spec=spec,
                    section=section,
                    risk=risk,
                    tier_two_gate=stricter(_GATES[kind], Gate.DESK),
                    gate_policy=gate,
                )
        return found

    def _risk(self, section: ActionSection, spec: ActionSpec, at: Loc) -> RiskScores:
        for score in _SCORES:
            given, least = getattr(section.risk, score), getattr(spec.least_risk, score)
            if given < least:
                message = f"{score} {given} is below what {spec.name} risks at least ({least})"
                self._add((*at, "risk", score), f"{message} (expected {least} to 3)")
        return RiskScores(
            blast_radius=section.risk.blast_radius,
            irreversibility=section.risk.irreversibility,
            regulatory=section.risk.regulatory,
        )

    def _catalog_items(self, section: ActionSection, spec: ActionSpec, at: Loc) -> None:
        parameters = {parameter.name for parameter in spec.parameters}
        for number, item in enumerate(section.catalog_items):
            for variable, parameter in item.variables.items():
                if parameter not in parameters:
                    loc: Loc = (*at, "catalog_items", number, "variables", variable)
                    self._add(loc, unknown("parameter", parameter, parameters))
            if item.subject and section.subject == "requester":
                message = "names a subject, but the action is for the requester's own account"
                self._add((*at, "catalog_items", number, "subject"), message)

    def _gate_policy(self, section: ActionSection, at: Loc) -> GatePolicy | None:
        mine, default = section.gate, self.file.gate
        gate_at = (*at, "gate", "authority") if mine.authority else ("gate", "authority")
        authority = self._authority(mine.authority or default.authority, gate_at)
        desk_at = (*at, "gate", "desk") if mine.desk else ("gate", "desk")
        desk = self._authority(mine.desk or default.desk, desk_at)
        if (mine.authority or default.authority) is None:
            self._add(("gate",), 'missing key "authority"', key=True)
        if authority is None:
            return None
        (business,) = self._business
        window = mine.window or default.window
        tell = mine.tell or default.tell
        template = section.change.template
        change = section.change.kind or mine.change or default.change or ChangeKind.NORMAL
        if change is ChangeKind.STANDARD and template is None:
            message = "a standard change needs a pinned template (id, version, proposal)"
            self._add((*at, "change"), message)
        if template is not None and change is not ChangeKind.STANDARD:
            message = "only a standard change has a template (expected kind: standard)"
            self._add((*at, "change", "template"), message, key=True)
        return GatePolicy(
            authority=authority,
            least_approvers=mine.approvers or default.approvers or 1,
            change=change,
            lead=window.lead if window else timedelta(0),
            length=window.length if window else None,
            expires=mine.expires or default.expires or DEFAULT_EXPIRES,
            remind=mine.remind or default.remind,
            tell_after=tell.after if tell else None,
            tell_whom=tell.whom if tell else "",
            tell_watch=MappingProxyType(dict(tell.watch) if tell else {}),
            native=MappingProxyType(dict(section.change.native)),
            template=template.id if template else "",
            template_version=template.version if template else "",
            template_proposal=template.proposal if template else "",
            desk_group=desk,
            within=window.within if window else None,
            calendar=business.calendars.get(mine.calendar or default.calendar or ""),
            board=business.boards.get(window.board or "") if window else None,
        )

    def references(self) -> None:
        """Check the names that stand outside actions and rules."""
        for name, groups in self.file.authorities.items():
            for system in groups:
                if self.systems is not None and system not in self.systems:
                    message = unknown("system", system, self.systems)
                    self._add(("authorities", name, system), message, key=True)
        self._role_actions()
        self._case_actions()
        (business,) = self._business
        gates: list[tuple[GateSection, Loc]] = [(self.file.gate, ("gate",))]
        for name, section in self.file.actions.items():
            gates.append((section.gate, ("actions", name, "gate")))
        for gate, at in gates:
            check_terms(gate, self.file.gate, at, business, self._add)
            for system in gate.tell.watch if gate.tell else ():
                if self.systems is not None and system not in self.systems:
                    loc: Loc = (*at, "tell", "watch", system)
                    self._add(loc, unknown("system", system, self.systems), key=True)

    def _role_actions(self) -> None:
        for name, role in self.file.roles.items():
            for number, action in enumerate(role.actions):
                spec = self.catalogue.get(action)
                at: Loc = ("roles", name, "actions", number)
                if spec is None:
                    self._add(at, unknown("action", action, self.catalogue))
                elif not any(p.kind is ParameterKind.GROUP for p in spec.parameters):
                    self._add(at, f"{action} has no group that a role template could cover")

    def _case_actions(self) -> None:
        for number, case in enumerate(self.file.tests):
            for part, action in (("expect", case.expect.action), ("ticket", case.ticket.action)):
                if action and action != "none" and action not in self.catalogue:
                    at: Loc = ("tests", number, part, "action")
                    self._add(at, unknown("action", action, self.catalogue))
