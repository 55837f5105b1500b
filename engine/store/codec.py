"""Frozen dataclasses to JSON documents and back: typed, strict, total.

One codec is compiled per type from its annotations. A field that the type does not know, a value of
another type and a member that an enum lacks are errors; a field that is missing takes its default
where it has one, because rows outlive the version of the code that wrote them.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from engine.errors import InvalidAnswerError, UnmappedValueError

T = TypeVar("T")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Codec:
    """Both ways for one type; `where` names the field in errors."""

    encode: Callable[[Any, str], Any]
    decode: Callable[[Any, str], Any]


def encode(value: object) -> dict[str, Any]:
    """Return the JSON document of a dataclass.

    Raises:
        InvalidAnswerError: A field holds a value of another type than it declares.
        TypeError: The type, or one it is made of, has no codec.
    """
    kind: Any = type(value)
    document: dict[str, Any] = _codec(kind).encode(value, type(value).__name__)
    return document


def decode(kind: type[T], document: object) -> T:
    """Return the dataclass that `document` holds.

    Raises:
        UnmappedValueError: An enum has no such member.
        InvalidAnswerError: A field is unknown, missing without a default, or of another type.
    """
    annotation: Any = kind
    value: T = _codec(annotation).decode(document, kind.__name__)
    return value


def dumps(value: object) -> str:
    """Return the document of a dataclass as ASCII JSON text."""
    return json.dumps(encode(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def loads(kind: type[T], text: str) -> T:
    """Return the dataclass that the JSON text holds; errors as for `decode`."""
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise InvalidAnswerError(f"stored {kind.__name__}: no JSON") from exc
    return decode(kind, document)


@cache
def _codec(kind: Any) -> _Codec:  # noqa: ANN401  annotations: types, unions and aliases alike
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin = typing.get_origin(kind)
    if origin in _GENERIC:
        return _GENERIC[origin](typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    raise TypeError(f"no codec for {kind!r}")


def _refuse(where: str, expected: str, value: object) -> InvalidAnswerError:
    return InvalidAnswerError(f"{where}: expected {expected}, found {type(value).__name__}")


def _exactly(kind: type) -> _Codec:
    def same(value: Any, where: str) -> Any:  # noqa: ANN401  checked here
        # bool is an int to Python and none to us.
        if type(value) is kind:
            return value
        if isinstance(value, kind) and not isinstance(value, bool | Enum):
            return kind(value)
        raise _refuse(where, kind.__name__, value)

    return _Codec(same, same)


def _float(value: Any, where: str) -> float:  # noqa: ANN401  checked here
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise _refuse(where, "a finite number", value)


def _instant_out(value: Any, where: str) -> str:  # noqa: ANN401  checked here
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _refuse(where, "an instant with a zone", value)
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _instant_in(value: Any, where: str) -> datetime:  # noqa: ANN401  checked here
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise _refuse(where, "an instant", value) from exc
    if moment.tzinfo is None:
        raise _refuse(where, "an instant with a zone", value)
    return moment.astimezone(UTC)


def _span_out(value: Any, where: str) -> int:  # noqa: ANN401  checked here
    if not isinstance(value, timedelta):
        raise _refuse(where, "a duration", value)
    return value // _MICROSECOND


def _span_in(value: Any, where: str) -> timedelta:  # noqa: ANN401  checked here
    if type(value) is not int:
        raise _refuse(where, "a duration in microseconds", value)
    return timedelta(microseconds=value)


def _nothing(value: Any, where: str) -> None:  # noqa: ANN401  checked here
    if value is not None:
        raise _refuse(where, "nothing", value)


def _document(value: Any, where: str) -> Any:  # noqa: ANN401  JSON without floats, as we hash it
    if value is None or type(value) in {str, bool, int}:
        return value
    if isinstance(value, Mapping):
        if not all(type(key) is str for key in value):
            raise _refuse(where, "text keys", value)
        return {key: _document(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_document(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise _refuse(where, "JSON without fractions", value)


_PLAIN: Mapping[Any, _Codec] = {
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: _Codec(_float, _float),
    datetime: _Codec(_instant_out, _instant_in),
    timedelta: _Codec(_span_out, _span_in),
    types.NoneType: _Codec(_nothing, _nothing),
}
_JSON = _Codec(_document, _document)


def _union(members: tuple[Any, ...]) -> _Codec:
    if any(typing.get_origin(member) is Sequence for member in members):
        return _JSON  # the only recursive type of the domain: `canonical.JSON`
    others = [member for member in members if member is not types.NoneType]
    if len(others) != 1 or len(members) == len(others):
        raise TypeError(f"no codec for the union {members!r}")
    inner = _codec(others[0])
    return _Codec(
        lambda value, where: None if value is None else inner.encode(value, where),
        lambda value, where: None if value is None else inner.decode(value, where),
    )


def _items(value: Any, where: str, length: int | None = None) -> Sequence[Any]:  # noqa: ANN401  checked here
    if not isinstance(value, list | tuple) or length not in {None, len(value)}:
        raise _refuse(where, "a list" if length is None else f"a list of {length}", value)
    return value


def _tuple(members: tuple[Any, ...]) -> _Codec:
    if len(members) == 2 and members[1] is Ellipsis:  # noqa: PLR2004  how typing spells tuple[X, ...]
        inner = _codec(members[0])
        return _Codec(
            lambda value, where: [
                inner.encode(item, f"{where}[{index}]")
                for index, item in enumerate(_items(value, where))
            ],
            lambda value, where: tuple(
                inner.decode(item, f"{where}[{index}]")
                for index, item in enumerate(_items(value, where))
            ),
        )
    inners = [_codec(member) for member in members]
    return _Codec(
        lambda value, where: [
            inner.encode(item, where)
            for inner, item in zip(inners, _items(value, where, len(inners)), strict=True)
        ],
        lambda value, where: tuple(
            inner.decode(item, where)
            for inner, item in zip(inners, _items(value, where, len(inners)), strict=True)
        ),
    )


def _frozenset(members: tuple[Any, ...]) -> _Codec:
    inner = _codec(members[0])

    def out(value: Any, where: str) -> list[Any]:  # noqa: ANN401  checked here
        if not isinstance(value, frozenset):
            raise _refuse(where, "a frozen set", value)
        return sorted(inner.encode(item, where) for item in value)

    def back(value: Any, where: str) -> frozenset[Any]:  # noqa: ANN401  checked here
        items = [inner.decode(item, where) for item in _items(value, where)]
        if len(set(items)) != len(items):
            raise InvalidAnswerError(f"{where}: a member stands twice")
        return frozenset(items)

    return _Codec(out, back)


def _mapping(members: tuple[Any, ...]) -> _Codec:
    name, inner = (_codec(member) for member in members)

    def walk(value: Any, where: str, way: str) -> dict[Any, Any]:  # noqa: ANN401  checked here
        if not isinstance(value, Mapping):
            raise _refuse(where, "a mapping", value)
        keys, items = getattr(name, way), getattr(inner, way)
        return {keys(k, where): items(item, f"{where}.{k}") for k, item in value.items()}

    return _Codec(
        lambda value, where: walk(value, where, "encode"),
        lambda value, where: walk(value, where, "decode"),
    )


_GENERIC: Mapping[Any, Callable[[tuple[Any, ...]], _Codec]] = {
    typing.Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    frozenset: _frozenset,
    Mapping: _mapping,
}


def _enum(kind: type[Enum]) -> _Codec:
    values = {member.value: member for member in kind}

    def out(value: Any, where: str) -> Any:  # noqa: ANN401  checked here
        if type(value) is not kind:
            raise _refuse(where, kind.__name__, value)
        return value.value

    def back(value: Any, where: str) -> Enum:  # noqa: ANN401  checked here
        # True == 1: without the look at the type, a boolean would pass for tier 1.
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in values:
            raise UnmappedValueError(where, value)
        return values[value]

    return _Codec(out, back)


def _dataclass(kind: type) -> _Codec:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    codecs = {name: _codec(hints[name]) for name in fields}
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def out(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401  checked here
        if type(value) is not kind:
            raise _refuse(where, kind.__name__, value)
        return {
            name: codec.encode(getattr(value, name), f"{where}.{name}")
            for name, codec in codecs.items()
        }

    def back(value: Any, where: str) -> Any:  # noqa: ANN401  checked here
        if not isinstance(value, Mapping):
            raise _refuse(where, f"the document of a {kind.__name__}", value)
        if unknown := set(value) - set(codecs):
            raise InvalidAnswerError(f"{where}: unknown fields {sorted(map(str, unknown))}")
        if missing := required - set(value):
            raise InvalidAnswerError(f"{where}: missing fields {sorted(missing)}")
        return kind(
            **{name: codecs[name].decode(item, f"{where}.{name}") for name, item in value.items()}
        )

    return _Codec(out, back)
