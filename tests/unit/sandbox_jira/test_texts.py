"""Queries, wiki text and documents of any kind are read or refused, never a fault."""

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.sandbox import adf, text, wiki
from connectors.jira.sandbox.jql.syntax import Both, Clause, JqlError, Not, Query, parse

WORDS = st.sampled_from(
    ["project", "=", "!=", "~", "in", "not", "is", "was", "changed", "AND", "or", "(", ")", ",",
     '"a b"', "'x'", "EMPTY", "now()", "ORDER", "BY", "desc", "after", "-1d", "OPS-1", '"',
     "\\", "!"]
)  # fmt: skip
MARKUP = st.sampled_from(
    ["h1. ", "* ", "# ", "** ", "|", "||", "{code}", "{noformat}", "{quote}", "----", "*b*", "_i_",
     "{{m}}", "[a|http://x.test]", "[~u]", "\n", "\n\n", "text ", "{", "}", "[", "bq. ", "\\"]
)  # fmt: skip


def read(query: str) -> Query | list[str]:
    """The tree of a query, or the sentences that refuse it."""
    try:
        return parse(query)
    except JqlError as error:
        return error.messages


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=400, deadline=None)
def test_any_words_are_a_query_or_refused_as_one(words: list[str]) -> None:
    assert read(" ".join(words))


@given(st.text(max_size=80))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_query_or_refused_as_one(query: str) -> None:
    assert read(query)


def test_and_binds_closer_than_or_and_not_closer_than_and() -> None:
    where = parse("a = 1 OR NOT b = 2 AND c = 3").where
    assert isinstance(where, Both)
    assert where.word == "or"
    assert isinstance(where.nodes[0], Clause)
    inner = where.nodes[1]
    assert isinstance(inner, Both)
    assert isinstance(inner.nodes[0], Not)


def test_a_quoted_word_is_a_value_and_not_a_keyword() -> None:
    where = parse('assignee = "EMPTY" ORDER BY created DESC').where
    assert isinstance(where, Clause)
    assert where.operands[0].quoted is True  # type: ignore[union-attr]  # a literal by the grammar


@given(st.lists(MARKUP, max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_wiki_text_becomes_a_valid_document(markup: str) -> None:
    document = wiki.to_document(markup)
    assert adf.is_document(document)
    adf.to_plain(document)
    assert "<script" not in adf.to_html(document)


@given(st.text(alphabet=string.ascii_letters + " ", min_size=1, max_size=60))
def test_plain_words_survive_both_conversions(words: str) -> None:
    line = " ".join(words.split())
    assert adf.to_wiki(wiki.to_document(line)) == line


DOCUMENTS = [
    ("h2. Title", "heading"),
    ("* one\n* two\n** inner\n* three", "bulletList"),
    ("# one\n# two", "orderedList"),
    ('{noformat}\n{"a": [1]}\n{noformat}', "codeBlock"),
    ("{code:python}\nprint(1)\n{code}", "codeBlock"),
    ("||a||b||\n|1|2|", "table"),
    ("{quote}\nsaid\n{quote}", "blockquote"),
    ("----", "rule"),
    ("plain *bold* _it_ +under+ {{code}} [label|http://x.test] http://y.test/a?b=c", "paragraph"),
    ("line one\nline two", "paragraph"),
]


@pytest.mark.parametrize(("markup", "kind"), DOCUMENTS, ids=[one[1] for one in DOCUMENTS])
def test_markup_goes_round_through_a_document(markup: str, kind: str) -> None:
    document = wiki.to_document(markup)
    assert document["content"][0]["type"] == kind
    again = wiki.to_document(adf.to_wiki(document))
    assert again == document


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "content", "text", "version", "attrs", "marks"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=400, deadline=None)
def test_anything_that_counts_as_a_document_can_be_shown(value: Any) -> None:
    if not adf.is_document(value):
        with pytest.raises(text.TextRefusedError):
            text.read(value if value not in (None, "") else 1, document=True)
        return
    adf.to_wiki(value)
    adf.to_html(value)
    adf.to_plain(value)


def test_html_of_hostile_text_runs_nothing() -> None:
    document = wiki.to_document('<script>x</script> [click|javascript:alert(1)] "q"')
    shown = adf.to_html(document)
    assert "<script" not in shown
    assert "javascript:" not in shown or "href" not in shown


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["{code:a}\n", "{quote}x\n", "*a ", "[", "{{", "|", "_", "http://", "* x\n", "h1. \n"]
)
def test_hostile_repetition_takes_no_long_time(piece: str) -> None:
    document = wiki.to_document((piece * 32_767)[:32_767])
    adf.to_wiki(document)
    adf.to_html(document)
