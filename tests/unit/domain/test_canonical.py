"""Canonical JSON: ours against the reference implementation of RFC 8785."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.canonical import canonical_json, digest

SAFE = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(DOCUMENTS)
def test_every_document_is_written_as_the_reference_writes_it(document: Any) -> None:
    assert canonical_json(document) == rfc8785.dumps(document)


@given(DOCUMENTS)
def test_what_is_written_reads_back_and_is_written_the_same(document: Any) -> None:
    text = canonical_json(document)
    assert json.loads(text) == document
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(TEXTS, st.integers(0, 9), min_size=2))
def test_the_order_of_keys_changes_nothing(document: dict[str, int]) -> None:
    turned = dict(reversed(document.items()))
    assert digest(turned) == digest(document)


@given(DOCUMENTS, DOCUMENTS)
def test_different_documents_have_different_digests(one: Any, other: Any) -> None:
    # json tells True from 1, which Python's own comparison does not.
    is_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == is_same


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    """The example of RFC 8785, 3.2.3: an emoji sorts before a letter of the compatibility area."""
    document = {"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "\r": 4, "1": 5, "\u0080": 6, "ö": 7}
    order = list(json.loads(canonical_json(document)))
    assert order == ["\r", "1", "\u0080", "ö", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [0.5, 1.0, float("nan"), b"x", {1: 2}, {"a": {2}}, object()])
def test_what_two_systems_may_print_differently_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", ["a", {"\udfff": 1}]])
def test_what_not_every_reader_holds_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, UnicodeEncodeError), match=r"\d+ does not|surrogates"):
        canonical_json(value)


def test_a_digest_names_its_method() -> None:
    assert digest({"a": 1}) == "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()


def test_a_tuple_is_written_as_a_list() -> None:
    assert canonical_json((1, ("a",))) == b'[1,["a"]]'
