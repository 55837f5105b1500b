"""The names that a rule may use, with their types: facts of records, never the ticket's words.

Short description, description, category and confidence are absent on purpose: text, and what
a classifier makes of it, must not move a tier (invariant I4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from engine.domain.action import Catalogue, ParameterKind


class Kind(StrEnum):
    """The types of CEL values that our facts have; ANY is what an expression may also yield."""

    BOOL = "true or false"
    STRING = "a text"
    NUMBER = "a number"
    LIST = "a list"
    MAP = "a mapping"
    ANY = "anything"


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """A document with known members; equal to itself only, so that it can stand in sets."""

    of: Mapping[str, "Shape"]


Shape: TypeAlias = Kind | Members

TICKET = Members(
    MappingProxyType(
        {
            "system": Kind.STRING,
            "kind": Kind.STRING,
            "channel": Kind.STRING,
            "catalog_item": Kind.STRING,
            "major_incident": Kind.BOOL,
            "security": Kind.BOOL,
        }
    )
)
PERSON = Members(
    MappingProxyType(
        {
            "key": Kind.STRING,
            "kind": Kind.STRING,
            "department": Kind.STRING,
            "manager": Kind.STRING,
            "vip": Kind.BOOL,
            "active": Kind.BOOL,
            "groups": Kind.LIST,
        }
    )
)
_PARAMETER: Mapping[ParameterKind, Shape] = MappingProxyType(
    {
        ParameterKind.PERSON: Members(
            MappingProxyType(
                {
                    "id": Kind.STRING,
                    "name": Kind.STRING,
                    "kind": Kind.STRING,
                    "vip": Kind.BOOL,
                    "active": Kind.BOOL,
                }
            )
        ),
        ParameterKind.GROUP: Members(
            MappingProxyType(
                {
                    "id": Kind.STRING,
                    "name": Kind.STRING,
                    "ordinary": Kind.BOOL,
                    "nested": Kind.BOOL,
                    "members": Kind.NUMBER,
                }
            )
        ),
        ParameterKind.DATE: Kind.STRING,
    }
)


def vocabulary(catalogue: Catalogue, calendars: Mapping[str, object]) -> Members:
    """Return every name that a rule may use on this installation.

    Free-text parameters are left out: words do not move a tier.
    """
    parameters = {
        parameter.name: _PARAMETER[parameter.kind]
        for spec in catalogue.values()
        for parameter in spec.parameters
        if parameter.kind in _PARAMETER
    }
    return Members(
        {
            "action": Kind.STRING,
            "authenticated": Kind.BOOL,
            "subject_is_requester": Kind.BOOL,
            "ticket": TICKET,
            "requester": PERSON,
            "subject": PERSON,
            "params": Members(parameters),
            "calendar": Members(dict.fromkeys(calendars, Kind.BOOL)),
        }
    )
