"""Loads a tier map and compiles it against the catalogue and the installation's systems."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from config.checks import MapChecker
from config.document import Document, Loc, Plain, load_document
from config.facts import RuleView
from config.policy import CompiledTierMap
from config.problems import Problems
from config.tier_models import TierMapFile
from config.validation import validate
from config.vocabulary import vocabulary
from engine.domain.action import Catalogue
from engine.domain.canonical import JSON, digest

# What takes the place of a broken entry, so that the rest of the file is still checked.
_HARMLESS: Mapping[str, Plain] = MappingProxyType(
    {
        "rules": {"when": "false", "tier": 1, "because": "broken"},
        "freezes": {"name": "broken", "from": "2000-01-01", "to": "2000-01-01", "tiers": [1]},
        "tests": {"ticket": {}, "expect": {}},
        "routing": {"route": {}, "examples": ["broken"]},
    }
)
_NAMED = frozenset({"actions", "authorities", "boards", "calendars", "roles"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTierMap:
    """A tier map with its file, for those who show places beside decisions."""

    policy: CompiledTierMap
    file: TierMapFile
    document: Document


def compile_tier_map(
    path: Path, catalogue: Catalogue, systems: Collection[str] | None = None
) -> CompiledTierMap:
    """Return the tier map, ready to decide.

    Args:
        path: The file; calendars' holiday files stand beside it.
        catalogue: The actions that code can carry out, with their least scores.
        systems: Names of systems and directories; None leaves those references unchecked.

    Raises:
        ConfigurationError: Every mistake at once, a line each with file:line:column.
    """
    return load_tier_map(path, catalogue, systems).policy


def load_tier_map(
    path: Path, catalogue: Catalogue, systems: Collection[str] | None = None
) -> LoadedTierMap:
    """Return the compiled map together with its file.

    Raises:
        ConfigurationError: As `compile_tier_map`.
    """
    problems = Problems()
    document = load_document(path)
    file = validate(TierMapFile, document.data, document, problems)
    broken: frozenset[Loc] = frozenset()
    if file is None:
        data, broken = _without_broken(document)
        file = validate(TierMapFile, data, document, Problems())
    if file is None:
        problems.raise_if_any()
        raise AssertionError("a file without problems is valid")
    checker = MapChecker(
        document=document,
        file=file,
        catalogue=catalogue,
        systems=systems,
        problems=problems,
        broken=broken,
    )
    business = checker.business_time(path.parent)
    names = vocabulary(catalogue, file.calendars)
    rules = checker.rules(names)
    actions = checker.actions()
    freezes = checker.freezes()
    checker.references()
    problems.raise_if_any()
    policy = CompiledTierMap(
        digest=digest({"map": _hashable(document.data), "calendars": dict(business.sources)}),
        actions=MappingProxyType(actions),
        rules=rules,
        roles=MappingProxyType(dict(file.roles)),
        freezes=freezes,
        calendars=business.calendars,
        authorities=MappingProxyType(checker.authorities()),
        routing=file.routing,
        view=RuleView(names=names, calendars=business.calendars),
    )
    return LoadedTierMap(policy=policy, file=file, document=document)


def _without_broken(document: Document) -> tuple[dict[str, Plain], frozenset[Loc]]:
    """Return the data without the entries that pydantic refuses, and which those are."""
    data = dict(document.data)
    broken: set[Loc] = set()
    for key, value in document.data.items():
        if isinstance(value, list) and key in _HARMLESS:
            items = list(value)
            for number, item in enumerate(value):
                if not _fits(key, [item], document):
                    items[number] = _HARMLESS[key]
                    broken.add((key, number))
            data[key] = items
        elif isinstance(value, dict) and key in _NAMED:
            kept = {
                name: item for name, item in value.items() if _fits(key, {name: item}, document)
            }
            broken |= {(key, name) for name in value if name not in kept}
            data[key] = kept
        elif isinstance(value, dict) and key == "gate":
            data[key] = {n: item for n, item in value.items() if _fits(key, {n: item}, document)}
        elif key == "version":
            data[key] = 1
        elif key not in TierMapFile.model_fields:
            del data[key]
    return data, frozenset(broken)


def _fits(key: str, value: Plain, document: Document) -> bool:
    least: dict[str, Plain] = {
        "version": 1,
        "authorities": {},
        "gate": {},
        "actions": {
            "least": {
                "does": "least",
                "risk": {"blast_radius": 0, "irreversibility": 0, "regulatory": 0},
                "target": "least",
            }
        },
    }
    probe = Problems()
    return validate(TierMapFile, {**least, key: value}, document, probe) is not None


def _hashable(value: Plain) -> JSON:
    """Return the data with numbers as canonical texts where JSON for hashing has no floats."""
    if isinstance(value, dict):
        return {key: _hashable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hashable(item) for item in value]
    return repr(value) if isinstance(value, float) else value
