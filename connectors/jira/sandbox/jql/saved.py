"""The clause `filter`: the queries of saved filters inside of a query."""

import dataclasses

from connectors.jira.sandbox.filters import readable
from connectors.jira.sandbox.jql.syntax import JqlError, Literal, Operand, Query, parse
from connectors.jira.sandbox.jql.values import Scope
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Row

NAMES = ("filter", "request", "savedfilter", "searchrequest")


def saved_query(scope: Scope, operand: Operand) -> tuple[Scope, Query]:
    """Return the query of the filter that an operand names by id or name, and its scope.

    Raises:
        JqlError: there is none that the caller may read, or it leads back to itself.
    """
    wanted = operand.text if isinstance(operand, Literal) else operand.name
    row, name = _named(scope, wanted)
    if row["id"] in scope.filters:
        raise JqlError(
            f"Field 'filter' with value '{wanted}' matches filter '{name}' and causes a cyclical"
            " reference, this query can not be executed and should be edited."
        )
    inside = dataclasses.replace(scope, filters=(*scope.filters, row["id"]))
    return inside, parse(str(loads(row["body"]).get("jql") or ""))


def _named(scope: Scope, wanted: str) -> tuple[Row, str]:
    rows = scope.call.store.rows(
        "SELECT * FROM filter ORDER BY id=? DESC, id",
        wanted,
    )
    for row in rows if scope.call.caller is not None else ():
        name = str(loads(row["body"]).get("name"))
        if wanted.casefold() in {str(row["id"]), name.casefold()} and readable(scope.call, row):
            return row, name
    raise JqlError(f"The value '{wanted}' does not exist for the field 'filter'.")
