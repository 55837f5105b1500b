"""What a request may say in a comment: its body, and whether only agents see it."""

from connectors.jira.sandbox import text
from connectors.jira.sandbox.reading import ValueRefusedError
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Row


def comment_body(call: Call, value: Row) -> Row:
    """Return what is kept of the body of a comment.

    Raises:
        ValueRefusedError: it is empty, of the wrong form, or too long.
    """
    try:
        body = text.read(value.get("body"), document=call.document)
    except text.TextRefusedError as error:
        raise ValueRefusedError(
            "Comment body is not valid!" if call.document else error.reason
        ) from error
    if body is None or not text.plain_of(body).strip():
        raise ValueRefusedError("Comment body can not be empty!")
    return body


def comment_properties(value: Row) -> tuple[bool, Row]:
    """Return whether a comment is internal, and its entity properties."""
    held: Row = {}
    for one in value.get("properties") or ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            held[one["key"]] = one.get("value")
    public = held.get("sd.public.comment")
    internal = isinstance(public, dict) and public.get("internal") in {True, "true"}
    return internal, held
