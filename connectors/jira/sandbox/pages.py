"""The pages for people: the approval list."""

from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Reply


def answer(call: Call, path: str) -> Reply | None:
    """Return a page, or None where the path is none of them."""
    del call, path
    return None
