"""Reading JQL: tokens, and the tree they make."""

import re
from dataclasses import dataclass
from typing import TypeAlias


class JqlError(ValueError):
    """A query that Jira refuses; the arguments are its messages."""

    @property
    def messages(self) -> list[str]:
        """Return the messages."""
        return [str(one) for one in self.args]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; `quoted` tells `"EMPTY"` from EMPTY."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function call as an operand."""

    name: str
    arguments: tuple[str, ...]


Operand: TypeAlias = Literal | Function


@dataclass(frozen=True, slots=True)
class Predicate:
    """AFTER, BEFORE, ON, DURING, BY, FROM or TO of a history clause."""

    word: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison; `operator` is lower case: =, !=, ~, in, not in, is, was not in, changed."""

    field: str
    operator: str
    operands: tuple[Operand, ...]
    predicates: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True)
class Both:
    """AND or OR of several nodes."""

    word: str
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """NOT of a node."""

    node: "Node"


Node: TypeAlias = Clause | Both | Not


@dataclass(frozen=True, slots=True)
class Sort:
    """One field of ORDER BY."""

    field: str
    descending: bool | None


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `where` is None for one without a restriction."""

    where: Node | None
    order: tuple[Sort, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""\s*(?:
      "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<sign><=|>=|!=|!~|&&|\|\||[=<>~!(),])
    | (?P<word>(?:[^\s"'=<>~!(),&|\\]|\\.)+(?:\[\d+\])?)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_RESERVED = frozenset(
    {"and", "or", "not", "in", "is", "was", "changed", "order", "by", "empty", "null"}
)
_HISTORY_WORDS = frozenset({"after", "before", "on", "during", "by", "from", "to"})
_DEEPEST = 100
OPERATORS = "'=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'"


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        found = match[1]
        if len(found) > 1:
            return chr(int(found[1:], 16))
        return _ESCAPES.get(found, found)

    return _ESCAPE.sub(one, text)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            where = at + len(text[at:]) - len(text[at:].lstrip())
            raise JqlError(
                f"Error in the JQL Query: The character '{text[where]}' is a reserved JQL"
                " character. You must enclose it in a string or use the escape sequence."
                f" (line 1, character {where + 1})"
            )
        at = match.end()
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in {"double", "single"}:
            found.append(_Token("quoted", _unescape(value), match.start(kind)))
        elif kind == "word":
            found.append(_Token("word", _unescape(value), match.start(kind)))
        else:
            found.append(
                _Token("sign", {"&&": "and", "||": "or"}.get(value, value), match.start(kind))
            )
    return found


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        JqlError: it is not JQL.
    """
    return _Parser(_tokens(text)).query()


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        where = None
        if self._tokens and not self._is("order"):
            where = self._or()
        order: tuple[Sort, ...] = ()
        if self._is("order"):
            order = self._order()
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            raise JqlError(
                f"Error in the JQL Query: Expecting either 'OR' or 'AND' but got '{token.text}'."
                f" (line 1, character {token.at + 1})"
            )
        return Query(where, order)

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _is(self, word: str, ahead: int = 0) -> bool:
        at = self._at + ahead
        if at >= len(self._tokens):
            return False
        token = self._tokens[at]
        return token.kind != "quoted" and token.text.lower() == word

    def _take(self, word: str) -> bool:
        if self._is(word):
            self._at += 1
            return True
        return False

    def _next(self, expected: str) -> _Token:
        token = self._peek()
        if token is None:
            raise JqlError(
                f"Error in the JQL Query: Expecting {expected} before the end of the query."
            )
        self._at += 1
        return token

    def _wrong(self, token: _Token, expected: str) -> JqlError:
        return JqlError(
            f"Error in the JQL Query: Expecting {expected} but got '{token.text}'."
            f" (line 1, character {token.at + 1})"
        )

    def _or(self) -> Node:
        nodes = [self._and()]
        while self._take("or"):
            nodes.append(self._and())
        return nodes[0] if len(nodes) == 1 else Both("or", tuple(nodes))

    def _and(self) -> Node:
        nodes = [self._not()]
        while self._take("and"):
            nodes.append(self._not())
        return nodes[0] if len(nodes) == 1 else Both("and", tuple(nodes))

    def _not(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise JqlError("Error in the JQL Query: The query is nested too deeply.")
        try:
            if self._take("not") or self._take("!"):
                return Not(self._not())
            if self._take("("):
                inner = self._or()
                if not self._take(")"):
                    token = self._next("')'")
                    raise self._wrong(token, "')'")
                return inner
            return self._clause()
        finally:
            self._depth -= 1

    def _clause(self) -> Node:
        token = self._next("a field name")
        if token.kind == "sign" or (token.kind == "word" and token.text.lower() in _RESERVED):
            raise self._wrong(token, "a field name")
        operator = self._operator()
        predicates: tuple[Predicate, ...] = ()
        operands: tuple[Operand, ...] = ()
        if operator != "changed":
            operands = self._list() if operator.endswith("in") else (self._operand(),)
        if operator.startswith(("was", "changed")):
            predicates = self._predicates()
        return Clause(token.text, operator, operands, predicates)

    def _operator(self) -> str:
        token = self._next(f"operator. The valid operators are {OPERATORS}")
        word = token.text.lower()
        if token.kind == "sign" and word in {"=", "!=", "<", ">", "<=", ">=", "~", "!~"}:
            return word
        if token.kind == "word" and word in {"in", "changed"}:
            return word
        if token.kind == "word" and word == "not" and self._take("in"):
            return "not in"
        if token.kind == "word" and word == "is":
            return "is not" if self._take("not") else "is"
        if token.kind == "word" and word == "was":
            negated = self._take("not")
            listed = self._take("in")
            return "was" + (" not" if negated else "") + (" in" if listed else "")
        raise JqlError(
            f"Error in the JQL Query: Expecting operator but got '{token.text}'. The valid"
            f" operators are {OPERATORS}. (line 1, character {token.at + 1})"
        )

    def _list(self) -> tuple[Operand, ...]:
        if not self._take("("):
            return (self._operand(),)
        found = [self._operand()]
        while self._take(","):
            found.append(self._operand())
        if not self._take(")"):
            token = self._next("')'")
            raise self._wrong(token, "',' or ')'")
        return tuple(found)

    def _operand(self) -> Operand:
        token = self._next("either a value, list or function")
        if token.kind == "sign":
            raise self._wrong(token, "either a value, list or function")
        if token.kind == "word" and self._is("("):
            self._at += 1
            return Function(token.text, self._arguments())
        return Literal(token.text, token.kind == "quoted")

    def _arguments(self) -> tuple[str, ...]:
        found: list[str] = []
        while not self._take(")"):
            token = self._next("')'")
            if token.kind == "sign":
                raise self._wrong(token, "an argument")
            found.append(token.text)
            if not self._take(",") and not self._is(")"):
                raise self._wrong(self._next("')'"), "',' or ')'")
        return tuple(found)

    def _predicates(self) -> tuple[Predicate, ...]:
        found: list[Predicate] = []
        while (token := self._peek()) is not None and token.kind == "word":
            word = token.text.lower()
            if word not in _HISTORY_WORDS:
                break
            self._at += 1
            found.append(Predicate(word, self._list()))
        return tuple(found)

    def _order(self) -> tuple[Sort, ...]:
        self._at += 1
        if not self._take("by"):
            raise self._wrong(self._next("'by'"), "'by'")
        found: list[Sort] = []
        while True:
            token = self._next("a field name")
            if token.kind == "sign":
                raise self._wrong(token, "a field name")
            descending: bool | None = None
            if self._take("desc"):
                descending = True
            elif self._take("asc"):
                descending = False
            found.append(Sort(token.text, descending))
            if not self._take(","):
                return tuple(found)
