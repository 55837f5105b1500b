"""Encoded queries as a tree.

Grammar: terms joined by `^` (and), `^OR` (or with the term just before), `^NQ` (a whole new
filter); `ORDERBY`, `ORDERBYDESC` and `GROUPBY` may stand anywhere, a trailing `EQ` means nothing.
What cannot be read is a term without an operator; the compiler lets it vanish, as the vendor does.
"""

import re
from dataclasses import dataclass

OPERATORS = (
    "NOT IN",
    "NOT LIKE",
    "NOTLIKE",
    "DOES NOT CONTAIN",
    "CONTAINS",
    "STARTSWITH",
    "ENDSWITH",
    "ISNOTEMPTY",
    "NOTEMPTY",
    "EMPTYSTRING",
    "ISEMPTY",
    "EMPTY",
    "ANYTHING",
    "BETWEEN",
    "NSAMEAS",
    "SAMEAS",
    "RELATIVEGT",
    "RELATIVEGE",
    "RELATIVELT",
    "RELATIVELE",
    "RELATIVEEE",
    "GT_FIELD",
    "LT_FIELD",
    "GT_OR_EQUALS_FIELD",
    "LT_OR_EQUALS_FIELD",
    "MORETHAN",
    "LESSTHAN",
    "DYNAMIC",
    "IN_HIERARCHY",
    "VALCHANGES",
    "CHANGESTO",
    "CHANGESFROM",
    "NOTON",
    "LIKE",
    "IN",
    "ON",
    "!=",
    ">=",
    "<=",
    "=",
    ">",
    "<",
    "*",
    "%",
)
_TERM = re.compile(
    r"^(?P<field>[a-z0-9_.]{1,200})(?P<op>"
    + "|".join(re.escape(op) for op in OPERATORS)
    + r")(?P<value>.*)$",
    re.DOTALL,
)
_SPACED = re.compile(
    r"^(?P<field>[a-z0-9_.]{1,200})\s{1,5}(?P<op>[A-Z!=<>]+)\s*(?P<value>.*)$", re.DOTALL
)
_JOIN = re.compile(
    r"^JOIN(?P<left>\w+)\.(?P<left_field>[\w.]+)=(?P<right>\w+)\.(?P<right_field>[\w.]+)(?:!(?P<query>.*))?$",
    re.DOTALL,
)
_RELATED = re.compile(
    r"^RLQUERY(?P<table>\w+)\.(?P<field>\w+),(?P<op>>=|<=|!=|=|>|<)(?P<count>\d+)(?P<m2m>,m2m)?$"
)

_OUTER = ("JOIN", "RLQUERY", "NQ", "ORDERBY", "GROUPBY")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison; `display` lets the value be a display value (the name=value form)."""

    field: str
    operator: str
    value: str
    display: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Rows whose `left_field` equals `right_field` of some row of another table."""

    left_field: str
    table: str
    right_field: str
    query: "Query | None"


@dataclass(frozen=True, slots=True)
class Related:
    """Rows that so many rows of a related list refer to."""

    table: str
    field: str
    operator: str
    count: int
    query: "Query | None"


Condition = Term | Join | Related


@dataclass(frozen=True, slots=True)
class Query:
    """Alternatives (NQ) of conjunctions of disjunctions, with the order of the rows."""

    alternatives: tuple[tuple[tuple[Condition, ...], ...], ...]
    order: tuple[tuple[str, bool], ...]
    """(field, descending) in order of precedence."""
    group: tuple[str, ...] = ()


_DEPTH = 5


def parse(text: str, depth: int = 0) -> Query:
    """Read an encoded query; there is no text that is refused.

    Queries in queries count to a depth of five; what lies deeper vanishes.
    """
    builder = _Builder(depth)
    if depth > _DEPTH:
        return builder.query()
    tokens = text.split("^")
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token.startswith(("RLQUERY", "NQRLQUERY", "ORRLQUERY")):
            end = position
            while end < len(tokens) and tokens[end] != "ENDRLQUERY":
                end += 1
            builder.related(token, "^".join(tokens[position:end]))
            position = end + 1
        elif token.startswith("JOIN"):
            # There is no end mark: what follows is the joined table's, up to the next big word.
            end = position
            while end < len(tokens) and not tokens[end].startswith(_OUTER):
                end += 1
            builder.join("^".join(tokens[position - 1 : end]))
            position = end
        else:
            builder.token(token)
    return builder.query()


def pairs(filters: list[tuple[str, str]]) -> Query:
    """Read the name=value form, in which display values are allowed."""
    terms = tuple((Term(name, "=", value, display=True),) for name, value in filters)
    return Query((terms,), ())


def both(first: Query, second: Query) -> Query:
    """Return the query that asks for both; the order of the first counts before the second's."""
    return Query(
        tuple(one + other for one in first.alternatives for other in second.alternatives),
        first.order + second.order,
        first.group + second.group,
    )


class _Builder:
    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._alternatives: list[list[list[Condition]]] = [[]]
        self._order: list[tuple[str, bool]] = []
        self._group: list[str] = []

    def query(self) -> Query:
        return Query(
            tuple(tuple(tuple(either) for either in one) for one in self._alternatives),
            tuple(self._order),
            tuple(self._group),
        )

    def token(self, token: str) -> None:
        while token.startswith("NQ"):
            self._alternatives.append([])
            token = token[2:]
        if token in ("", "EQ"):
            return
        if token.startswith("ORDERBYDESC"):
            self._order.append((token[11:], True))
        elif token.startswith("ORDERBY"):
            self._order.append((token[7:], False))
        elif token.startswith("GROUPBY"):
            self._group.append(token[7:])
        elif token.startswith("OR"):
            self._add_or(_term(token[2:]))
        else:
            self._alternatives[-1].append([_term(token)])

    def _add_or(self, term: Condition) -> None:
        if self._alternatives[-1]:
            self._alternatives[-1][-1].append(term)
        else:
            self._alternatives[-1].append([term])

    def join(self, token: str) -> None:
        match = _JOIN.match(token)
        if match is None:
            self._alternatives[-1].append([Term(token, "", "")])
            return
        query = parse(match["query"], self._depth + 1) if match["query"] else None
        self._alternatives[-1].append(
            [Join(match["left_field"], match["right"], match["right_field"], query)]
        )

    def related(self, token: str, inner: str) -> None:
        either = token.startswith("OR")
        if token.startswith("NQ"):
            self._alternatives.append([])
        match = _RELATED.match(token[2:] if token[:2] in ("OR", "NQ") else token)
        condition: Condition = Term(token, "", "")
        if match is not None:
            query = parse(inner, self._depth + 1) if inner else None
            condition = Related(
                match["table"], match["field"], match["op"], int(match["count"]), query
            )
        if either:
            self._add_or(condition)
        else:
            self._alternatives[-1].append([condition])


def _term(text: str) -> Term:
    if text.startswith("123TEXTQUERY321="):
        return Term("123TEXTQUERY321", "=", text[16:])
    match = _TERM.match(text) or _SPACED.match(text)
    if match is None:
        return Term(text, "", "")
    return Term(match["field"], match["op"], match["value"])
