"""pydantic's findings in an admin's words: where, what, and what was expected."""

import types
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from config.document import Document, Loc
from config.problems import Problems, suggestion, unknown

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """What every part of our files is: no unknown key, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_EXPECTED: Mapping[str, str] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}

_BOUNDS: Mapping[str, tuple[str, str]] = {
    "less_than_equal": ("up to", "le"),
    "greater_than_equal": ("from", "ge"),
    "less_than": ("below", "lt"),
    "greater_than": ("above", "gt"),
}


def validate(
    model: type[M],
    data: object,
    document: Document,
    problems: Problems,
    *,
    at: Loc = (),
    hidden: Collection[Loc] = (),
) -> M | None:
    """Return the validated model, or None after adding every mistake to `problems`.

    Args:
        model: What the data has to be.
        data: Plain data; `at` says where in the document it stands.
        document: Gives the places.
        problems: Collects the mistakes.
        at: Where `data` stands.
        hidden: Paths whose values came from a secret reference: never repeated in a message.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            loc = (*at, *detail["loc"])
            is_hidden = document.known(loc) in hidden
            is_key = detail["type"] == "extra_forbidden"
            message = _message(detail, keys_at(model, detail["loc"][:-1]), is_hidden=is_hidden)
            problems.add(document.place(loc, key=is_key), message)
        return None


def _message(detail: ErrorDetails, keys: Collection[str], *, is_hidden: bool) -> str:
    kind = detail["type"]
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        return unknown("key", name, keys)
    if kind == "missing":
        return f'missing key "{name}"'
    if is_hidden:
        return f'"{name}" holds, behind its reference, not what is expected here ({kind})'
    return f"{_shown(detail['input'])} {_expected(detail, name)}"


def _expected(detail: ErrorDetails, name: str) -> str:
    kind = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        choices = [choice.strip("' ") for choice in _choices(str(context["expected"]))]
        return f"is not known here{suggestion(str(detail['input']), choices)}"
    if kind in _EXPECTED:
        return f'is not what "{name}" needs (expected {_EXPECTED[kind]})'
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"does not fit (expected a number {word} {context[bound]:g})"
    if kind == "value_error":
        return f"does not fit ({context['error']})"
    return f"does not fit ({detail['msg'][:1].lower()}{detail['msg'][1:]})"


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'  # noqa: PLR2004  a line's worth


def keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> frozenset[str]:
    """Return the keys that `model` knows at `loc`, over all members of unions on the way."""
    here: list[Any] = [model]
    for step in loc:
        following: list[Any] = []
        for annotation in here:
            following.extend(_below(annotation, step))
        if following:
            here = following
    return frozenset(key for annotation in here for key in _keys(annotation))


def _keys(annotation: Any) -> list[str]:  # noqa: ANN401  annotations have no common type
    return [
        field.alias or name
        for model in _models(annotation)
        for name, field in model.model_fields.items()
    ]


def _below(annotation: Any, step: str | int) -> list[Any]:  # noqa: ANN401  as above
    found: list[Any] = []
    for part in _parts(annotation):
        origin = get_origin(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            found.extend(
                field.annotation
                for name, field in part.model_fields.items()
                if step in {name, field.alias}
            )
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            found.append(get_args(part)[1])
        elif isinstance(origin, type) and issubclass(origin, Sequence):
            found.append(get_args(part)[0])
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401  as above
    return [
        part
        for part in _parts(annotation)
        if isinstance(part, type) and get_origin(part) is None and issubclass(part, BaseModel)
    ]


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401  as above
    """Return the members of unions, with `Annotated` taken off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [part for member in get_args(annotation) for part in _parts(member)]
    return [annotation]
