"""The catalogue of a directory: what each action needs, risks, proves and takes back."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType

from engine.domain.action import (
    ActionSpec,
    Backout,
    Catalogue,
    ParameterKind,
    ParameterSpec,
    RiskScores,
)
from engine.errors import PreconditionError

_GROUP = ParameterSpec(
    name="group",
    kind=ParameterKind.GROUP,
    is_required=True,
    does="The directory group, by name, distinguished name or stable id",
)
_UNTIL = ParameterSpec(
    name="until",
    kind=ParameterKind.DATE,
    is_required=False,
    does="The last day (ISO 8601, UTC) of the membership; it is removed when the day is over",
)

_SPECS = (
    ActionSpec(
        name="reset_password",
        version=1,
        does="Set a temporary password that must be changed at the next logon, lift a lock by "
        "failed logins, and send the password out of band",
        parameters=(),
        least_risk=RiskScores(blast_radius=0, irreversibility=1, regulatory=0),
        backout=Backout.CANNOT_BE_UNDONE,
        may_repeat=True,
        precondition="The account is a person's, not protected, enabled, and can be made to change "
        "its password",
        verification="The directory says that the password was set and must be changed, and a bind "
        "with it is answered accordingly",
    ),
    ActionSpec(
        name="unlock_account",
        version=1,
        does="Lift the lock that failed logins set",
        parameters=(),
        least_risk=RiskScores(blast_radius=0, irreversibility=0, regulatory=0),
        backout=Backout.CANNOT_BE_UNDONE,
        may_repeat=True,
        precondition="The account is locked by failed logins and not disabled",
        verification="The account is no longer locked, and still enabled",
    ),
    ActionSpec(
        name="add_group_member",
        version=1,
        does="Add the subject to a directory group, until a date if one is asked for",
        parameters=(_GROUP, _UNTIL),
        least_risk=RiskScores(blast_radius=1, irreversibility=0, regulatory=1),
        backout=Backout.INVERSE,
        may_repeat=True,
        inverse="remove_group_member",
        precondition="Subject and group are not protected, and the subject is no direct member",
        verification="The subject is a direct member, and no other member changed",
    ),
    ActionSpec(
        name="remove_group_member",
        version=1,
        does="Remove the subject from a directory group",
        parameters=(_GROUP,),
        least_risk=RiskScores(blast_radius=1, irreversibility=0, regulatory=1),
        backout=Backout.INVERSE,
        may_repeat=True,
        inverse="add_group_member",
        precondition="Subject and group are not protected, and the subject is a direct member",
        verification="The subject is no direct member, and no other member changed",
    ),
    ActionSpec(
        name="disable_account",
        version=1,
        does="Disable the subject's account, so that nobody can log in with it",
        parameters=(),
        # One account, but all of its owner's work, and a record that labour law asks about.
        least_risk=RiskScores(blast_radius=1, irreversibility=1, regulatory=2),
        backout=Backout.INVERSE,
        may_repeat=True,
        precondition="The account is a person's, not protected, and enabled",
        verification="The directory says that the account is disabled",
    ),
)

CATALOGUE: Catalogue = MappingProxyType({spec.name: spec for spec in _SPECS})
"""Every action of a directory by name."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def checked_parameters(spec: ActionSpec, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parameters that are not empty, outer blanks cut.

    Raises:
        PreconditionError: One is unknown, or a required one is missing.
    """
    known = {parameter.name for parameter in spec.parameters}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise PreconditionError(f"{spec.name} takes no parameter {', '.join(unknown)}")
    given = {name: text.strip() for name, text in parameters.items() if text.strip()}
    for parameter in spec.parameters:
        if parameter.is_required and parameter.name not in given:
            raise PreconditionError(f"{spec.name} needs a {parameter.name}, and none is named")
    return given


def end_of(text: str, now: datetime) -> str:
    """Return the instant at which a time-boxed action ends, ISO 8601 in UTC.

    A day without a time means until its last second.

    Raises:
        PreconditionError: The text is no date, names no zone, or lies in the past.
    """
    try:
        if _DAY.fullmatch(text):
            ends_at = datetime.combine(date.fromisoformat(text), time(23, 59, 59), tzinfo=UTC)
        else:
            ends_at = datetime.fromisoformat(text)
    except ValueError as error:
        raise PreconditionError("the end date is no ISO 8601 date") from error
    if ends_at.tzinfo is None:
        raise PreconditionError("the end date carries a time without a zone")
    if ends_at <= now:
        raise PreconditionError("the end date lies in the past")
    return ends_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
