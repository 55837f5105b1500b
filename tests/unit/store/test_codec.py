"""The codec: what goes in comes out; what does not belong is an error, never a guess."""

import dataclasses
import json
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.action import RiskScores, Tier
from engine.domain.change import ChangeSnapshot
from engine.domain.classification import Guess
from engine.domain.decision import GatePolicy, Window
from engine.domain.effect import Effect
from engine.domain.handling import Handling, Outcome
from engine.domain.plan import Plan
from engine.domain.refs import Account, Person, TicketKind, TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket, TicketState
from engine.errors import InvalidAnswerError, UnmappedValueError
from engine.ports.paging import Cursor
from engine.ports.store import Pause, PollHealth
from engine.store import codec

# Every character, lone surrogates and NUL included: this is what tickets hold.
TEXTS = st.text(st.characters(), max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Make values of an annotation; an own interpreter, so that it cannot share a misreading."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXTS,
        float: st.floats(allow_nan=False, allow_infinity=False),
        datetime: st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))])),
        timedelta: st.timedeltas(),
        RiskScores: st.builds(RiskScores, **dict.fromkeys(_names(RiskScores), st.integers(0, 3))),
    }
    if kind in plain:
        return plain[kind]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(typing.cast("Any", kind), **{n: values(hints[n]) for n in _names(kind)})
    if members := typing.get_args(kind):
        return _generic(typing.get_origin(kind), members)
    return st.from_type(kind)


def _generic(origin: Any, members: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is tuple and members[-1] is not Ellipsis:
        return st.tuples(*map(values, members))
    if origin is Mapping:
        return st.dictionaries(values(members[0]), values(members[1]), max_size=2)
    if len(members) > 3:
        return DOCUMENTS
    several: dict[Any, st.SearchStrategy[Any]] = {
        tuple: st.lists(values(members[0]), max_size=2).map(tuple),
        frozenset: st.frozensets(values(members[0])),
    }
    return several.get(origin, st.none() | values(members[0]))


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


@pytest.mark.parametrize("value", [("a", "b"), [["a"], {"b": ("c",)}]])
def test_lists_within_a_document_come_back_as_lists(value: Any) -> None:
    person = Person(key="1", name="A", directory_id="d", accounts=(), facts={"x": value})
    back = codec.loads(Person, codec.dumps(person)).facts["x"]
    assert json.dumps(back) == json.dumps(value)
    assert isinstance(back, list)


KINDS = (Handling, Ticket, Plan, Effect, ChangeSnapshot, Cursor, Pause, PollHealth, GatePolicy)


@pytest.mark.parametrize("kind", KINDS)
def test_every_stored_type_makes_the_round_trip(kind: Any) -> None:
    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(values(kind))
    def round_trip(value: Any) -> None:
        text = codec.dumps(value)
        assert codec.loads(kind, text) == value
        assert text.isascii(), "what PostgreSQL refuses as text stands as an escape"
        assert codec.dumps(codec.loads(kind, text)) == text

    round_trip()


def test_a_mapping_keeps_its_order() -> None:
    person = Person(key="1", name="A", directory_id="d", accounts=(), facts={"z": 1, "a": [2]})
    assert list(codec.loads(Person, codec.dumps(person)).facts) == ["z", "a"]


PERSON: dict[str, Any] = {"key": "1", "name": "A", "directory_id": "d", "accounts": []}
TICKET: dict[str, Any] = json.loads(
    codec.dumps(
        Ticket(
            ref=TicketRef(system="s", kind=TicketKind.INCIDENT, id="1", key="K"),
            url="",
            version="1",
            created_at=datetime(2026, 11, 20, tzinfo=UTC),
            updated_at=datetime(2026, 11, 20, tzinfo=UTC),
            state=TicketState.NEW,
            short_description="",
            description="",
            requester=None,
            creator=None,
        )
    )
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    span: timedelta


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    pairs: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _None:
    nothing: None


REF: dict[str, Any] = {"system": "s", "kind": "incident", "id": "1", "key": "K"}


@pytest.mark.parametrize(
    ("kind", "document", "error"),
    [
        (TicketRef, {**REF, "kind": "problem"}, UnmappedValueError),
        (TicketRef, {**REF, "kind": 1}, UnmappedValueError),
        (TicketRef, {**REF, "kind": None}, UnmappedValueError),
        (TicketRef, {**REF, "colour": "red"}, InvalidAnswerError),
        (TicketRef, {name: REF[name] for name in ("system", "kind", "id")}, InvalidAnswerError),
        (TicketRef, {**REF, "id": 1}, InvalidAnswerError),
        (TicketRef, {**REF, "id": None}, InvalidAnswerError),
        (TicketRef, [REF], InvalidAnswerError),
        (TicketRef, None, InvalidAnswerError),
        (Window, {"earliest": "soon", "latest": None}, InvalidAnswerError),
        (Window, {"earliest": "2026-11-20T12:00:00", "latest": None}, InvalidAnswerError),
        (Window, {"earliest": 5, "latest": None}, InvalidAnswerError),
        (Guess, {"value": "v", "confidence": True, "evidence": []}, InvalidAnswerError),
        (Guess, {"value": "v", "confidence": "1", "evidence": []}, InvalidAnswerError),
        (Guess, {"value": "v", "confidence": 0.5, "evidence": "word"}, InvalidAnswerError),
        (Guess, {"value": "v", "confidence": 0.5, "evidence": {"a": "b"}}, InvalidAnswerError),
        (
            RiskScores,
            {"blast_radius": True, "irreversibility": 1, "regulatory": 1},
            InvalidAnswerError,
        ),
        (Person, {**PERSON, "facts": {1: "a"}}, InvalidAnswerError),
        (Person, {**PERSON, "facts": {"a": {1: "a"}}}, InvalidAnswerError),
        (Person, {**PERSON, "facts": {"a": 0.5}}, InvalidAnswerError),
        (Person, {**PERSON, "facts": []}, InvalidAnswerError),
        (Person, {**PERSON, "accounts": None}, InvalidAnswerError),
        (Ticket, {**TICKET, "edited": ["category", "category"]}, InvalidAnswerError),
        (Ticket, {**TICKET, "edited": ["colour"]}, UnmappedValueError),
        (Ticket, {**TICKET, "fields": {"colour": "red"}}, UnmappedValueError),
        (_Span, {"span": "1 day"}, InvalidAnswerError),
        (_Span, {"span": True}, InvalidAnswerError),
        (_Pairs, {"pairs": [["a", "b", "c"]]}, InvalidAnswerError),
        (_Pairs, {"pairs": [["a", 1]]}, InvalidAnswerError),
        (_None, {"nothing": 0}, InvalidAnswerError),
        (Outcome, {"end": "fulfiled", "because": "x"}, UnmappedValueError),
    ],
)
def test_what_the_type_does_not_know_is_refused(
    kind: Any, document: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        codec.decode(kind, document)


def test_an_error_names_the_field_and_never_the_text() -> None:
    with pytest.raises(UnmappedValueError) as unmapped:
        codec.decode(TicketRef, {**REF, "kind": "problem"})
    assert unmapped.value.field == "TicketRef.kind"
    with pytest.raises(InvalidAnswerError) as invalid:
        codec.decode(TicketRef, {**REF, "id": ["a person's words"]})
    assert "TicketRef.id" in str(invalid.value)
    assert "words" not in str(invalid.value)


def test_a_boolean_is_no_tier() -> None:
    assert codec.decode(_Tiered, {"tier": 1}) == _Tiered(tier=Tier.ONE)
    with pytest.raises(UnmappedValueError):
        codec.decode(_Tiered, {"tier": True})


def test_a_row_of_an_older_version_takes_the_default_of_a_newer_field() -> None:
    document = {"at": "2026-11-20T12:00:00+00:00"}
    assert codec.decode(Cursor, document) == Cursor(at=datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        Guess(value="v", confidence=float("nan")),
        Guess(value="v", confidence=float("inf")),
        Guess(value=typing.cast("Any", None), confidence=0.1),
        Cursor(at=datetime(2026, 11, 20)),  # noqa: DTZ001  the lack of a zone is what is tried
        Person(
            key="1",
            name="A",
            directory_id="d",
            accounts=(),
            facts=typing.cast("Any", {"share": 0.5}),
        ),
        Person(
            key="1", name="A", directory_id="d", accounts=(), facts=typing.cast("Any", {"x": b"x"})
        ),
        TicketRef(system="s", kind=typing.cast("Any", "incident"), id="1", key="K"),
        _Span(span=typing.cast("Any", 5)),
        _Pairs(pairs=(typing.cast("Any", ("a", "b", "c")),)),
        _None(nothing=typing.cast("Any", 5)),
        Person(key="1", name="A", directory_id="d", accounts=typing.cast("Any", {})),
        Person(key="1", name="A", directory_id="d", accounts=typing.cast("Any", (REF,))),
        Outcome(end=typing.cast("Any", TicketKind.INCIDENT), because=""),
    ],
)
def test_a_value_of_another_type_than_declared_is_never_written(value: object) -> None:
    with pytest.raises(InvalidAnswerError):
        codec.dumps(value)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Tiered:
    tier: Tier


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Foreign:
    value: complex


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Either:
    value: int | str


@pytest.mark.parametrize("value", [_Foreign(value=1j), _Either(value=1), "text", 5])
def test_a_type_without_a_codec_is_refused_as_a_whole(value: object) -> None:
    with pytest.raises((TypeError, InvalidAnswerError, AttributeError)):
        json.dumps(codec.encode(value)["value"])


def test_text_that_is_no_json_is_a_stored_row_that_cannot_be_read() -> None:
    with pytest.raises(InvalidAnswerError):
        codec.loads(Account, "{")


def test_an_enum_member_of_a_subclass_passes_for_its_own_enum_only() -> None:
    assert codec.encode(Outcome(end=Stage.FULFILLED, because="b")) == {
        "end": "fulfilled",
        "because": "b",
    }
