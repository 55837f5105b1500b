"""CEL expressions of rules: parsed, checked against the vocabulary, evaluated without surprises."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import celpy
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType
from celpy.evaluation import CELEvalError
from lark import Token, Tree

from config.problems import suggestion
from config.vocabulary import Kind, Members, Shape
from engine.domain.canonical import JSON

_METHODS: Mapping[str, tuple[Kind, Kind]] = {
    "startsWith": (Kind.STRING, Kind.BOOL),
    "endsWith": (Kind.STRING, Kind.BOOL),
    "contains": (Kind.STRING, Kind.BOOL),
    "size": (Kind.ANY, Kind.NUMBER),
}
_MACROS = frozenset({"exists", "all", "exists_one"})
_FUNCTIONS: Mapping[str, Kind] = {"has": Kind.BOOL, "size": Kind.NUMBER}
_PAIR = 2
_MISSING = re.compile(r"no such member in mapping: '(?P<fact>\w+)'")


class ExpressionError(Exception):
    """An expression cannot be used; `column` counts from 0 within its text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class EvaluationError(Exception):
    """An expression met facts that it cannot be evaluated on."""


def _sentence(error: CELEvalError) -> str:
    """Return why, for the people who read a ticket's note."""
    said = str(error.args[0]) if error.args else "no answer"
    missing = _MISSING.fullmatch(said)
    return f"{missing['fact']} is not known" if missing else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A checked expression. Evaluating it is pure."""

    source: str
    _program: Any = field(repr=False)

    def holds(self, facts: Mapping[str, JSON]) -> bool:
        """Return whether the expression holds.

        Raises:
            EvaluationError: A fact is missing or of another type; the caller becomes stricter.
        """
        activation = {name: json_to_cel(cast("Any", value)) for name, value in facts.items()}
        try:
            result = self._program.evaluate(activation)
        except CELEvalError as error:
            raise EvaluationError(_sentence(error)) from error
        if not isinstance(result, BoolType):
            raise EvaluationError("the answer is neither true nor false")
        return bool(result)


def compile_expression(source: str, names: Members) -> Expression:
    """Parse `source` and check every name and type in it.

    Raises:
        ExpressionError: Not CEL, an unknown name, or types that do not go together.
    """
    environment = celpy.Environment()
    try:
        tree = environment.compile(source)
    except CELParseError as error:
        raise ExpressionError("is not a CEL expression", max(0, (error.column or 1) - 1)) from None
    kind = _Checker({}, names).kind(tree)
    if kind not in {Kind.BOOL, Kind.ANY}:
        raise ExpressionError(f"is {_said(kind)} (expected true or false)", 0)
    return Expression(source=source, _program=environment.program(tree))


def _said(shape: Shape) -> str:
    return "a mapping" if isinstance(shape, Members) else str(shape)


class _Checker:
    """Finds the type of an expression; unknown names are errors, never ANY."""

    def __init__(self, bound: Mapping[str, Shape], names: Members) -> None:
        self._bound = bound
        self._names = names
        self._nodes: Mapping[str, Callable[[Tree[Token]], Shape]] = {
            "conditionalor": self._logic,
            "conditionaland": self._logic,
            "relation": self._relation,
            "expr": self._choice,
            "addition": self._arithmetic,
            "multiplication": self._arithmetic,
            "unary": self._unary,
            "ident": self._ident,
            "literal": self._literal,
            "member_dot": self._dot,
            "member_dot_arg": self._method,
            "member_index": self._index,
            "ident_arg": self._function,
            "paren_expr": self._inner,
            "member": self._inner,
            "primary": self._inner,
            "list_lit": self._list,
        }

    def kind(self, tree: Tree[Token]) -> Shape:
        node = self._nodes.get(str(tree.data))
        if node is None:
            raise ExpressionError("uses a form of CEL that rules do not need", _column(tree))
        return node(tree)

    def _children(self, tree: Tree[Token]) -> list[Tree[Token]]:
        return [child for child in tree.children if isinstance(child, Tree)]

    def _inner(self, tree: Tree[Token]) -> Shape:
        return self.kind(self._children(tree)[0])

    def _operands(self, tree: Tree[Token]) -> list[tuple[Tree[Token], Shape]]:
        """Return the operands of a binary node; the left one may sit inside the operator's node."""
        found: list[tuple[Tree[Token], Shape]] = []
        for child in self._children(tree):
            name = str(child.data)
            inner = child
            if name.startswith(("relation_", "addition_", "multiplication_")):
                inner = self._children(child)[0]
            found.append((inner, self.kind(inner)))
        return found

    def _logic(self, tree: Tree[Token]) -> Shape:
        operands = self._operands(tree)
        if len(operands) == 1:
            return operands[0][1]
        for operand, shape in operands:
            self._need(operand, shape, Kind.BOOL)
        return Kind.BOOL

    def _choice(self, tree: Tree[Token]) -> Shape:
        children = self._children(tree)
        first = self.kind(children[0])
        if len(children) == 1:
            return first
        self._need(children[0], first, Kind.BOOL)
        yes, no = self.kind(children[1]), self.kind(children[2])
        return yes if yes == no else Kind.ANY

    def _relation(self, tree: Tree[Token]) -> Shape:
        operands = self._operands(tree)
        if len(operands) == 1:
            return operands[0][1]
        (_, left), (node, right) = operands
        operator = str(self._children(tree)[0].data)
        if operator == "relation_in":
            if right not in {Kind.LIST, Kind.ANY}:
                raise ExpressionError(f"`in` needs a list, not {_said(right)}", _column(node))
        elif isinstance(left, Members) or isinstance(right, Members):
            raise ExpressionError("compares a whole mapping (name one of its keys)", _column(node))
        elif Kind.ANY not in {left, right} and left != right:
            message = f"compares {_said(left)} with {_said(right)}"
            raise ExpressionError(message, _column(node))
        return Kind.BOOL

    def _arithmetic(self, tree: Tree[Token]) -> Shape:
        operands = self._operands(tree)
        if len(operands) > 1:
            for operand, shape in operands:
                self._need(operand, shape, Kind.NUMBER)
        return operands[0][1]

    def _unary(self, tree: Tree[Token]) -> Shape:
        children = self._children(tree)
        shape = self.kind(children[-1])
        if len(children) == _PAIR:
            is_not = str(children[0].data) == "unary_not"
            self._need(children[-1], shape, Kind.BOOL if is_not else Kind.NUMBER)
        return shape

    def _ident(self, tree: Tree[Token]) -> Shape:
        name = str(tree.children[0])
        if name in self._bound:
            return self._bound[name]
        return self._member(self._names, name, "field", _column(tree))

    def _member(self, shape: Shape, name: str, what: str, column: int) -> Shape:
        if shape is Kind.ANY:
            return Kind.ANY
        if not isinstance(shape, Members):
            raise ExpressionError(f'"{name}" is asked of {_said(shape)}', column)
        if name not in shape.of:
            raise ExpressionError(f'unknown {what} "{name}"{suggestion(name, shape.of)}', column)
        return shape.of[name]

    def _dot(self, tree: Tree[Token]) -> Shape:
        token = next(child for child in tree.children if isinstance(child, Token))
        return self._member(self._inner(tree), str(token), "field", _token_column(token))

    def _index(self, tree: Tree[Token]) -> Shape:
        inner, index = self._children(tree)[:2]
        shape, key = self.kind(inner), self.kind(index)
        if isinstance(shape, Members):
            text = "".join(str(token) for token in index.scan_values(lambda _: True))
            return self._member(shape, text.strip("\"'"), "field", _column(index))
        if shape is not Kind.LIST or key is not Kind.NUMBER:
            raise ExpressionError("is indexed in a way that cannot work", _column(index))
        return Kind.ANY

    def _method(self, tree: Tree[Token]) -> Shape:
        token = next(child for child in tree.children if isinstance(child, Token))
        name, column = str(token), _token_column(token)
        subject = self.kind(self._children(tree)[0])
        arguments = list(self._arguments(tree))
        if name in _MACROS:
            if subject not in {Kind.LIST, Kind.ANY} or len(arguments) != _PAIR:
                raise ExpressionError(f"{name}() needs a list, a name and a condition", column)
            variable = "".join(str(t) for t in arguments[0].scan_values(lambda _: True))
            inner = _Checker({**self._bound, variable: Kind.ANY}, self._names)
            self._need(arguments[1], inner.kind(arguments[1]), Kind.BOOL)
            return Kind.BOOL
        if name not in _METHODS:
            known = [*_METHODS, *_MACROS]
            raise ExpressionError(f'unknown function "{name}"{suggestion(name, known)}', column)
        needs, gives = _METHODS[name]
        if needs is not Kind.ANY:
            self._need(tree, subject, needs)
        for argument in arguments:
            self._need(argument, self.kind(argument), Kind.STRING)
        return gives

    def _function(self, tree: Tree[Token]) -> Shape:
        token = next(child for child in tree.children if isinstance(child, Token))
        name = str(token)
        if name not in _FUNCTIONS:
            message = f'unknown function "{name}"{suggestion(name, _FUNCTIONS)}'
            raise ExpressionError(message, _token_column(token))
        for argument in self._arguments(tree):
            self.kind(argument)
        return _FUNCTIONS[name]

    def _arguments(self, tree: Tree[Token]) -> Iterator[Tree[Token]]:
        for child in self._children(tree):
            if str(child.data) == "exprlist":
                yield from self._children(child)

    def _list(self, tree: Tree[Token]) -> Shape:
        for item in self._arguments(tree):
            self.kind(item)
        return Kind.LIST

    def _literal(self, tree: Tree[Token]) -> Shape:
        token = tree.children[0]
        names = {
            "STRING_LIT": Kind.STRING,
            "MLSTRING_LIT": Kind.STRING,
            "INT_LIT": Kind.NUMBER,
            "UINT_LIT": Kind.NUMBER,
            "FLOAT_LIT": Kind.NUMBER,
            "BOOL_LIT": Kind.BOOL,
        }
        kind = names.get(token.type) if isinstance(token, Token) else None
        if kind is None:
            raise ExpressionError("holds a literal that no fact can equal", _column(tree))
        return kind

    def _need(self, tree: Tree[Token], shape: Shape, kind: Kind) -> None:
        if shape not in {kind, Kind.ANY}:
            raise ExpressionError(f"is {_said(shape)} (expected {kind})", _column(tree))


def _column(tree: Tree[Token]) -> int:
    line, column = getattr(tree.meta, "line", 1), getattr(tree.meta, "column", 1)
    return max(0, column - 1) if line == 1 else 0


def _token_column(token: Token) -> int:
    return max(0, (token.column or 1) - 1) if (token.line or 1) == 1 else 0


def compared_literals(source: str, name: str) -> list[tuple[str, int]]:
    """Return the texts that an expression compares with the bare name, with their columns.

    `action == "x"`, `action != "x"` and `action in ["x", "y"]`, in either order of the operands.
    """
    tree = celpy.Environment().compile(source)
    found: list[tuple[str, int]] = []
    for relation in tree.find_data("relation"):
        children = [child for child in relation.children if isinstance(child, Tree)]
        if len(children) != _PAIR:
            continue
        idents = [str(node.children[0]) for side in children for node in side.find_data("ident")]
        if idents != [name] or list(relation.find_data("member_dot")):
            continue
        found.extend(
            (str(token).strip("\"'"), _token_column(token))
            for token in relation.scan_values(_is_text)
        )
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, Token) and value.type == "STRING_LIT"
