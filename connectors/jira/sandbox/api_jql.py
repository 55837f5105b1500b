"""What a query builder asks: the words of the language, suggestions, and the tree of a query."""

from collections.abc import Mapping

from connectors.jira.sandbox import show
from connectors.jira.sandbox.jql.compiling import compile_query
from connectors.jira.sandbox.jql.syntax import (
    Both,
    Clause,
    Function,
    JqlError,
    Literal,
    Node,
    Not,
    Operand,
    Query,
    Sort,
    parse,
)
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import Json, Row, bad_payload, bad_request

routes = Routes()
_MOST_SUGGESTED = 15
_EQUAL = ["=", "!=", "in", "not in", "is", "is not"]
_ORDERED = ["=", "!=", "in", "not in", ">", ">=", "<", "<=", "is", "is not"]
_TEXT = ["~", "!~", "is", "is not"]
_OPERATORS: Mapping[str, list[str]] = {
    "string": _TEXT,
    "text": _TEXT,
    "comment": _TEXT,
    "datetime": _ORDERED,
    "date": _ORDERED,
    "number": _ORDERED,
    "priority": _ORDERED,
}
_FUNCTIONS = (
    "approved()", "approver()", "closedSprints()", "currentLogin()", "currentUser()", "declined()",
    "endOfDay()", "endOfMonth()", "endOfWeek()", "endOfYear()", "futureSprints()", "linkedIssues()",
    "membersOf()", "myApproval()", "myPending()", "now()", "openSprints()", "pending()",
    "pendingBy()", "projectsLeadByUser()", "releasedVersions()", "standardIssueTypes()",
    "startOfDay()", "startOfMonth()", "startOfWeek()", "startOfYear()", "subtaskIssueTypes()",
    "unreleasedVersions()", "updatedBy()", "votedIssues()", "watchedIssues()",
)  # fmt: skip
_RESERVED = (
    "and", "asc", "by", "changed", "desc", "empty", "in", "is", "not", "null", "or", "order", "was",
)  # fmt: skip
_VALIDATIONS = frozenset({"strict", "warn", "none"})


@routes.on("GET", "/jql/autocompletedata", anonymous=True)
@routes.on("POST", "/jql/autocompletedata", anonymous=True, flavours=CLOUD_ONLY)
def words(call: Call) -> Json:
    """Return the fields, the functions and the reserved words of the language."""
    fields: list[Row] = []
    for spec in show.known(call):
        if not spec.searchable or not spec.clauses:
            continue
        shown = f"{spec.name} - {spec.clauses[0]}" if spec.custom else spec.clauses[0]
        bean: Row = {
            "value": spec.clauses[0],
            "displayName": shown,
            "orderable": str(spec.orderable).lower(),
            "searchable": "true",
            "auto": "true",
            "operators": _OPERATORS.get(spec.kind, _EQUAL),
            "types": [],
        }
        if spec.custom:
            bean["cfid"] = f"cf[{spec.id.removeprefix('customfield_')}]"
        fields.append(bean)
    functions = [{"value": one, "displayName": one, "types": []} for one in _FUNCTIONS]
    return {
        "visibleFieldNames": fields,
        "visibleFunctionNames": functions,
        "jqlReservedWords": list(_RESERVED),
    }


@routes.on("GET", "/jql/autocompletedata/suggestions", anonymous=True)
def suggestions(call: Call) -> Json:
    """Return values of a field that begin with a text."""
    name, text = call.query.get("fieldName", ""), call.query.get("fieldValue", "").casefold()
    spec = call.definition.field_named(name) if name else None
    if spec is None:
        raise bad_request(f"The field name '{name}' is not valid.")
    found: list[tuple[str, str]] = []
    if spec.kind == "project":
        rows = call.store.rows("SELECT * FROM project ORDER BY name")
        seen = [row for row in rows if call.may("BROWSE_PROJECTS", row["id"])]
        found = [(row["key"], f"{row['name']} ({row['key']})") for row in seen]
    elif spec.kind in {"status", "priority", "resolution", "issuetype"}:
        names = [one["name"] for one in call.definition.raw[_TABLES[spec.kind]]]
        found = [(f'"{one}"' if " " in one else one, one) for one in names]
    elif spec.kind == "labels":
        sql = "SELECT DISTINCT value FROM ix_value WHERE field='labels' ORDER BY value"
        found = [(row["value"], row["value"]) for row in call.store.rows(sql)]
    elif spec.options:
        found = [(f'"{one.value}"', one.value) for one in spec.options]
    match = [one for one in found if any(each.casefold().startswith(text) for each in one)]
    return {
        "results": [{"value": one, "displayName": name} for one, name in match[:_MOST_SUGGESTED]]
    }


_TABLES: Mapping[str, str] = {
    "status": "statuses",
    "priority": "priorities",
    "resolution": "resolutions",
    "issuetype": "issue_types",
}


# --- the tree of a query


@routes.on("POST", "/jql/parse", anonymous=True, flavours=CLOUD_ONLY)
def parse_queries(call: Call) -> Json:
    """Return the tree of each query, or what is wrong with it.

    `validation` says whether names that do not exist are errors, warnings, or nothing.
    """
    queries, mode = call.json().get("queries"), call.query.get("validation", "strict")
    if not isinstance(queries, list) or not queries or mode not in _VALIDATIONS:
        raise bad_payload()
    return {"queries": [_parsed(call, str(one), mode) for one in queries]}


def _parsed(call: Call, text: str, mode: str) -> Row:
    try:
        found: Row = {"query": text, "structure": _structure(parse(text))}
    except JqlError as error:
        return {"query": text, "errors": error.messages}
    if mode == "none":
        return found
    try:
        compile_query(call, text)
    except JqlError as error:
        if mode == "warn":
            return {**found, "warnings": error.messages}
        return {"query": text, "errors": error.messages}
    return found


def _structure(query: Query) -> Row:
    found: Row = {}
    if query.where is not None:
        found["where"] = _node(query.where)
    if query.order:
        found["orderBy"] = {"fields": [_sort(one) for one in query.order]}
    return found


def _sort(sort: Sort) -> Row:
    bean: Row = {"field": {"name": sort.field, "encodedName": sort.field}}
    if sort.descending is not None:
        bean["direction"] = "desc" if sort.descending else "asc"
    return bean


def _node(node: Node) -> Row:
    match node:
        case Not():
            return {"operator": "not", "clauses": [_node(node.node)]}
        case Both():
            return {"operator": node.word, "clauses": [_node(one) for one in node.nodes]}
        case Clause():
            return _clause(node)


def _clause(clause: Clause) -> Row:
    bean: Row = {
        "field": {"name": clause.field, "encodedName": clause.field},
        "operator": clause.operator,
    }
    if clause.operator.startswith(("was", "changed")):
        bean["predicates"] = [
            {"operator": one.word, "operand": _operands(one.operands, listed=len(one.operands) > 1)}
            for one in clause.predicates
        ]
    if clause.operator != "changed":
        listed = clause.operator.endswith("in")
        bean["operand"] = _operands(clause.operands, listed=listed)
    return bean


def _operands(operands: tuple[Operand, ...], *, listed: bool) -> Row:
    found = [_operand(one) for one in operands]
    return {"values": found} if listed else found[0]


def _operand(operand: Operand) -> Row:
    match operand:
        case Function():
            arguments = list(operand.arguments)
            return {
                "function": operand.name,
                "arguments": arguments,
                "encodedOperand": f"{operand.name}({', '.join(arguments)})",
            }
        case Literal():
            if not operand.quoted and operand.text.casefold() in {"empty", "null"}:
                return {"keyword": "empty"}
            return {"value": operand.text, "encodedValue": operand.text}
