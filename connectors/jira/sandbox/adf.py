"""Atlassian Document Format: what is valid, and how it reads as wiki text, plain text, HTML."""

from collections.abc import Callable, Mapping
from html import escape

from connectors.jira.sandbox.wire import Json, Row

_BLOCKS = frozenset(
    {
        "paragraph", "heading", "bulletList", "orderedList", "listItem", "codeBlock", "blockquote",
        "rule", "panel", "table", "tableRow", "tableCell", "tableHeader", "expand", "nestedExpand",
        "mediaSingle", "mediaGroup", "media", "taskList", "taskItem", "decisionList",
        "decisionItem", "layoutSection", "layoutColumn", "blockCard", "embedCard", "extension",
        "bodiedExtension", "caption",
    }
)  # fmt: skip
_INLINES = frozenset(
    {"text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard", "inlineExtension",
     "mediaInline", "placeholder"}
)  # fmt: skip
_DEEPEST = 60
_WRAPS: Mapping[str, tuple[str, str]] = {
    "strong": ("*", "strong"),
    "em": ("_", "em"),
    "strike": ("-", "del"),
    "underline": ("+", "ins"),
}


def is_document(value: Json) -> bool:
    """Say whether a value is a document that Jira accepts."""
    return (
        isinstance(value, dict)
        and value.get("type") == "doc"
        and value.get("version") == 1
        and _valid_children(value, 0)
        and isinstance(value.get("content"), list)
    )


def _valid_children(node: Row, depth: int) -> bool:
    content = node.get("content", [])
    if not isinstance(content, list) or depth > _DEEPEST:
        return False
    return all(_valid_node(one, depth + 1) for one in content)


def _valid_node(node: Json, depth: int) -> bool:
    if not isinstance(node, dict) or not isinstance(node.get("type"), str):
        return False
    kind = node["type"]
    if kind not in _BLOCKS and kind not in _INLINES:
        return False
    if kind == "text" and not (isinstance(node.get("text"), str) and node["text"]):
        return False
    marks = node.get("marks", [])
    if not isinstance(marks, list) or not all(isinstance(one, dict) for one in marks):
        return False
    if not isinstance(node.get("attrs", {}), dict):
        return False
    return _valid_children(node, depth)


def _attrs(node: Row) -> Row:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, dict) else {}


def _children(node: Row) -> list[Row]:
    content: list[Row] = node.get("content") or []
    return content


# --- wiki text


def to_wiki(document: Row) -> str:
    """Render a document as wiki text, as API v2 shows it."""
    return "\n\n".join(_wiki_block(one, "") for one in _children(document))


def _wiki_block(node: Row, bullets: str) -> str:
    kind = node["type"]
    if kind in {"bulletList", "orderedList"}:
        sign = bullets + ("*" if kind == "bulletList" else "#")
        return "\n".join(_wiki_item(one, sign) for one in _children(node))
    render = _WIKI_BLOCKS.get(kind)
    if render is not None:
        return render(node)
    if any(one["type"] in _BLOCKS for one in _children(node)):
        return "\n\n".join(_wiki_block(one, bullets) for one in _children(node))
    return _wiki_inlines(node)


def _wiki_item(node: Row, sign: str) -> str:
    parts: list[str] = []
    for one in _children(node):
        nested = one["type"] in {"bulletList", "orderedList"}
        parts.append(_wiki_block(one, sign) if nested else _wiki_block(one, ""))
    return f"{sign} " + "\n".join(parts)


def _wiki_heading(node: Row) -> str:
    return f"h{_attrs(node).get('level', 1)}. {_wiki_inlines(node)}"


def _wiki_code(node: Row) -> str:
    language = _attrs(node).get("language")
    head = f"{{code:{language}}}" if language else "{noformat}"
    tail = "{code}" if language else "{noformat}"
    text = "".join(str(one.get("text", "")) for one in _children(node))
    return f"{head}\n{text}\n{tail}"


def _wiki_quote(node: Row) -> str:
    inner = "\n\n".join(_wiki_block(one, "") for one in _children(node))
    return f"{{quote}}\n{inner}\n{{quote}}"


def _wiki_panel(node: Row) -> str:
    inner = "\n\n".join(_wiki_block(one, "") for one in _children(node))
    return f"{{panel}}\n{inner}\n{{panel}}"


def _wiki_table(node: Row) -> str:
    lines: list[str] = []
    for row in _children(node):
        cells = _children(row)
        head = bool(cells) and all(one["type"] == "tableHeader" for one in cells)
        bar = "||" if head else "|"
        texts = [" ".join(_wiki_block(part, "") for part in _children(one)) for one in cells]
        lines.append(bar + bar.join(texts) + bar)
    return "\n".join(lines)


_WIKI_BLOCKS: Mapping[str, Callable[[Row], str]] = {
    "heading": _wiki_heading,
    "codeBlock": _wiki_code,
    "blockquote": _wiki_quote,
    "panel": _wiki_panel,
    "table": _wiki_table,
    "rule": lambda _node: "----",
}


def _wiki_inlines(node: Row) -> str:
    return "".join(_wiki_inline(one) for one in _children(node))


def _wiki_inline(node: Row) -> str:
    if node["type"] != "text":
        return _inline_text(node, mention="[~accountid:{}]")
    text = str(node["text"])
    for mark in node.get("marks", ()):
        text = _wiki_mark(mark, text)
    return text


def _wiki_mark(mark: Row, text: str) -> str:
    kind = str(mark.get("type"))
    if kind in _WRAPS:
        sign = _WRAPS[kind][0]
        return f"{sign}{text}{sign}"
    render = _WIKI_MARKS.get(kind)
    return text if render is None else render(_attrs(mark), text)


def _wiki_link(attrs: Row, text: str) -> str:
    href = str(attrs.get("href", ""))
    return f"[{href}]" if text == href else f"[{text}|{href}]"


def _wiki_subsup(attrs: Row, text: str) -> str:
    sign = "~" if attrs.get("type") == "sub" else "^"
    return f"{sign}{text}{sign}"


_WIKI_MARKS: Mapping[str, Callable[[Row, str], str]] = {
    "code": lambda _attrs, text: f"{{{{{text}}}}}",
    "link": _wiki_link,
    "textColor": lambda attrs, text: f"{{color:{attrs.get('color', 'black')}}}{text}{{color}}",
    "subsup": _wiki_subsup,
}


def _inline_text(node: Row, *, mention: str) -> str:
    if node["type"] == "mention":
        return mention.format(_attrs(node).get("id", ""))
    render = _INLINE_TEXTS.get(node["type"])
    return str(node.get("text", "")) if render is None else render(_attrs(node))


_INLINE_TEXTS: Mapping[str, Callable[[Row], str]] = {
    "hardBreak": lambda _attrs: "\n",
    "emoji": lambda attrs: str(attrs.get("text") or attrs.get("shortName", "")),
    "inlineCard": lambda attrs: f"[{attrs.get('url', '')}]",
    "status": lambda attrs: str(attrs.get("text", "")),
    "date": lambda attrs: str(attrs.get("timestamp", "")),
}


# --- plain text


def to_plain(node: Row) -> str:
    """Return the words of a document, for search."""
    if node.get("type") == "text":
        return str(node.get("text", ""))
    if node.get("type") in _INLINES:
        return _inline_text(node, mention="{}")
    joint = "" if all(one.get("type") in _INLINES for one in _children(node)) else "\n"
    return joint.join(to_plain(one) for one in _children(node))


# --- HTML

_HTML_FIXED: Mapping[str, str] = {"hardBreak": "<br/>", "rule": "<hr/>"}
_HTML_TAGS: Mapping[str, str] = {
    "paragraph": "p",
    "bulletList": "ul",
    "orderedList": "ol",
    "listItem": "li",
    "blockquote": "blockquote",
    "table": "table",
    "tableRow": "tr",
    "tableCell": "td",
    "tableHeader": "th",
    "panel": "div",
    "codeBlock": "pre",
}


def to_html(node: Row) -> str:
    """Render a document, or a node of one, as HTML with everything of it escaped."""
    kind = str(node.get("type"))
    if kind == "text":
        return _html_text(node)
    if kind in _HTML_FIXED:
        return _HTML_FIXED[kind]
    if kind in _INLINES:
        return escape(_inline_text(node, mention="{}"))
    inner = "".join(to_html(one) for one in _children(node))
    tag = _HTML_TAGS.get(kind, "")
    if kind == "heading":
        level = _attrs(node).get("level", 1)
        tag = f"h{level}" if level in range(1, 7) else "h6"
    return f"<{tag}>{inner}</{tag}>" if tag else inner


def _html_text(node: Row) -> str:
    text = escape(str(node.get("text", "")))
    for mark in node.get("marks", ()):
        kind = str(mark.get("type"))
        if kind in _WRAPS:
            tag = _WRAPS[kind][1]
            text = f"<{tag}>{text}</{tag}>"
        elif kind == "code":
            text = f"<tt>{text}</tt>"
        elif kind == "link":
            href = str(_attrs(mark).get("href", ""))
            if href.startswith(("http://", "https://", "mailto:", "/")):
                text = f'<a href="{escape(href)}" rel="nofollow">{text}</a>'
    return text
