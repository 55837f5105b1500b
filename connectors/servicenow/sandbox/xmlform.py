"""The XML form of requests and answers."""

from dataclasses import replace
from xml.parsers import expat
from xml.sax.saxutils import escape

import orjson

from connectors.servicenow.sandbox.http import ApiError, Call, Reply

_TYPE = "application/xml;charset=UTF-8"


def wants_xml(call: Call) -> bool:
    """Say whether the caller asked for XML and not for JSON."""
    accept = call.headers.get("accept", "")
    return "xml" in accept and "json" not in accept and "html" not in accept


def xml_written(call: Call, reply: Reply) -> Reply:
    """Return the answer in XML where the caller asked for that."""
    if not wants_xml(call) or not reply.body or "json" not in reply.content_type:
        return reply
    decoded = orjson.loads(reply.body)
    text = '<?xml version="1.0" encoding="UTF-8"?>' + _element("response", decoded)
    return replace(reply, body=text.encode(), content_type=_TYPE)


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        inner = "".join(_element(str(key), one) for key, one in value.items())
        return f"<{name}>{inner}</{name}>"
    if value is None or value == "":
        return f"<{name}/>"
    return f"<{name}>{escape(str(value))}</{name}>"


class _Fields:
    """Collects `<request><entry><field>value</field>...`; declarations of entities are refused."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, _attributes: object) -> None:
        self._path.append(name)
        self._text = []

    def text(self, data: str) -> None:
        self._text.append(data)

    def end(self, name: str) -> None:
        self._path.pop()
        if self._path and self._path[-1] in ("entry", "request", "record") and name != "entry":
            self.found[name] = "".join(self._text)

    def entity(self, *_declaration: object) -> None:
        raise ApiError(400, "Exception while reading request", "Entities are not allowed")


def xml_read(call: Call) -> Call:
    """Return a call whose XML body stands in JSON.

    Raises:
        ApiError: 400 for a body that is not well-formed.
    """
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/xml", "text/xml") or not call.body or "/attachment" in call.path:
        return call
    fields = _Fields()
    parser = expat.ParserCreate()
    parser.StartElementHandler = fields.start
    parser.EndElementHandler = fields.end
    parser.CharacterDataHandler = fields.text
    parser.EntityDeclHandler = fields.entity
    try:
        parser.Parse(call.body, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise ApiError(400, "Exception while reading request", str(error)) from error
    return replace(call, body=orjson.dumps(fields.found))
