"""Search filters (RFC 4511, 4.5.1.7): true, false, or undefined."""

from typing import Any

from ldaptor.protocols import pureldap

from connectors.ldap.sandbox.schema import SCHEMA, fold
from connectors.ldap.sandbox.tree import Entry


def matches(entry: Entry, wanted: Any) -> bool:  # noqa: ANN401  ldaptor's filters are untyped
    """Whether an entry matches; what is undefined does not."""
    return _evaluate(entry, wanted) is True


def _evaluate(entry: Entry, wanted: Any) -> bool | None:  # noqa: ANN401, PLR0911  one line per kind of filter
    match wanted:
        case pureldap.LDAPFilter_and():
            results = [_evaluate(entry, one) for one in wanted]
            return False if False in results else None if None in results else True
        case pureldap.LDAPFilter_or():
            results = [_evaluate(entry, one) for one in wanted]
            return True if True in results else None if None in results else False
        case pureldap.LDAPFilter_not():
            result = _evaluate(entry, wanted.value)
            return None if result is None else not result
        case pureldap.LDAPFilter_present():
            name: Any = wanted.value
            return bool(entry.get(name.decode()))
        case pureldap.LDAPFilter_substrings():
            return _substrings(entry, wanted)
        case pureldap.LDAPFilter_extensibleMatch():
            return None
        case _:
            return _assertion(entry, wanted)


def _assertion(entry: Entry, wanted: Any) -> bool | None:  # noqa: ANN401  as above
    name = wanted.attributeDesc.value.decode()
    if name.lower() not in SCHEMA:
        return None
    value = fold(name, wanted.assertionValue.value)
    values = [fold(name, one) for one in entry.get(name)]
    if isinstance(wanted, pureldap.LDAPFilter_greaterOrEqual):
        return any(one >= value for one in values)
    if isinstance(wanted, pureldap.LDAPFilter_lessOrEqual):
        return any(one <= value for one in values)
    return value in values


def _substrings(entry: Entry, wanted: Any) -> bool | None:  # noqa: ANN401  as above
    name = wanted.type.decode() if isinstance(wanted.type, bytes) else str(wanted.type)
    if name.lower() not in SCHEMA:
        return None
    return any(_contains(fold(name, one), name, wanted.substrings) for one in entry.get(name))


def _contains(value: bytes, name: str, pieces: Any) -> bool:  # noqa: ANN401  as above
    rest = value
    for piece in pieces:
        part = fold(name, piece.value)
        if isinstance(piece, pureldap.LDAPFilter_substrings_initial):
            if not rest.startswith(part):
                return False
            rest = rest[len(part) :]
        elif isinstance(piece, pureldap.LDAPFilter_substrings_final):
            return rest.endswith(part)
        else:
            place = rest.find(part)
            if place < 0:
                return False
            rest = rest[place + len(part) :]
    return True
