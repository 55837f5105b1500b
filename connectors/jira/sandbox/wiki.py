"""Jira's wiki markup, read as Atlassian Document Format."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.jira.sandbox.wire import Row

_HEADING = re.compile(r"^h([1-6])\.\s+(.*)$")
_BULLET = re.compile(r"^([*#-]+)\s+(.*)$")
_RULE = re.compile(r"^-{4,}\s*$")
_FENCE = re.compile(r"^\{(code|noformat|quote|panel)(?::([^}]*))?\}\s*(.*)$")
_LANGUAGE = re.compile(r"^[A-Za-z0-9+#]+$")
_INLINE = re.compile(
    r"\{\{(?P<code>[^{}\n]+)\}\}"
    r"|\[~(?:accountid:)?(?P<mention>[^\]\n]+)\]"
    r"|\[(?P<label>[^\]|\n\[]+)\|(?P<href>[^\]|\n]+)\]"
    r"|\[(?P<bare>(?:https?|mailto|ftp):[^\]\s|]+)\]"
    r"|(?P<url>https?://[^\s|\]{}<>\"]+[^\s|\]{}<>\".,;:!?)'])"
    r"|(?<![\w*])\*(?P<strong>[^\s*\n](?:[^*\n]*[^\s*\n])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<em>[^\s_\n](?:[^_\n]*[^\s_\n])?)_(?![\w_])"
    r"|(?<![\w+])\+(?P<underline>[^\s+\n](?:[^+\n]*[^\s+\n])?)\+(?![\w+])"
)


def to_document(text: str) -> Row:
    """Return the document that a wiki text describes."""
    return {"type": "doc", "version": 1, "content": _Reader(text.replace("\r\n", "\n")).blocks()}


@dataclass(slots=True)
class _Reader:
    """Reads blocks line by line."""

    text: str
    unclosed: set[str] = field(default_factory=set)
    """Kinds of fence for which no end stands further down, so that nobody looks again."""

    def blocks(self) -> list[Row]:
        lines = self.text.split("\n")
        found: list[Row] = []
        at = 0
        while at < len(lines):
            if not lines[at].strip():
                at += 1
                continue
            block, at = self._block(lines, at)
            found.append(block)
        return found

    def _block(self, lines: list[str], at: int) -> tuple[Row, int]:
        fence = _FENCE.match(lines[at])
        fenced = None
        if fence and fence[1] not in self.unclosed:
            fenced = _fenced(lines, at, fence, self.unclosed)
        if fenced is not None:
            return fenced
        if _BULLET.match(lines[at]):
            return _taken(lines, at, lambda one: bool(_BULLET.match(one)), _bullets)
        if lines[at].startswith("|"):
            return _taken(lines, at, lambda one: one.startswith("|"), _table)
        single = _single(lines[at])
        return (single, at + 1) if single is not None else self._plain(lines, at)

    def _plain(self, lines: list[str], at: int) -> tuple[Row, int]:
        end = at + 1
        while end < len(lines) and lines[end].strip() and not _opens(lines[end]):
            end += 1
        return _paragraph("\n".join(lines[at:end])), end


def _single(line: str) -> Row | None:
    """Return the block that one line makes by itself."""
    heading = _HEADING.match(line)
    if heading:
        node: Row = {"type": "heading", "attrs": {"level": int(heading[1])}}
        return {**node, "content": inlines(heading[2])}
    if _RULE.match(line):
        return {"type": "rule"}
    if line.startswith("bq. "):
        return {"type": "blockquote", "content": [_paragraph(line[4:])]}
    return None


def _opens(line: str) -> bool:
    marks = (_HEADING, _RULE, _BULLET, _FENCE)
    return line.startswith(("|", "bq. ")) or any(one.match(line) for one in marks)


def _taken(
    lines: list[str],
    at: int,
    belongs: Callable[[str], bool],
    build: Callable[[list[str]], Row],
) -> tuple[Row, int]:
    end = at
    while end < len(lines) and belongs(lines[end]):
        end += 1
    return build(lines[at:end]), end


def _fenced(
    lines: list[str], at: int, fence: re.Match[str], unclosed: set[str]
) -> tuple[Row, int] | None:
    kind, argument, rest = fence[1], fence[2] or "", fence[3]
    close = f"{{{kind}}}"
    body: list[str] = []
    for end in range(at, len(lines)):
        line = rest if end == at else lines[end]
        if close in line:
            before, after = line.split(close, 1)
            if after.strip():
                return None
            body.append(before)
            return _fence_node(kind, argument, body), end + 1
        body.append(line)
    unclosed.add(kind)
    return None


def _fence_node(kind: str, argument: str, body: list[str]) -> Row:
    text = "\n".join(body).strip("\n")
    if kind in {"quote", "panel"}:
        inner = _Reader(text).blocks() or [{"type": "paragraph", "content": []}]
        if kind == "quote":
            return {"type": "blockquote", "content": inner}
        return {"type": "panel", "attrs": {"panelType": "info"}, "content": inner}
    node: Row = {"type": "codeBlock", "attrs": {}}
    first = argument.split("|", 1)[0]
    if kind == "code":
        node["attrs"] = {"language": first if _LANGUAGE.match(first) else "java"}
    node["content"] = [{"type": "text", "text": text}] if text else []
    return node


def _bullets(lines: list[str]) -> Row:
    items = [(match[1], match[2]) for line in lines if (match := _BULLET.match(line))]
    return _list(items, 1)


def _list(items: list[tuple[str, str]], depth: int) -> Row:
    sign = items[0][0][min(depth, len(items[0][0])) - 1]
    node: Row = {"type": "orderedList" if sign == "#" else "bulletList", "content": []}
    at = 0
    while at < len(items):
        content: list[Row] = [_paragraph(items[at][1])]
        end = at + 1
        while end < len(items) and len(items[end][0]) > depth:
            end += 1
        if end > at + 1:
            content.append(_list(items[at + 1 : end], depth + 1))
        node["content"].append({"type": "listItem", "content": content})
        at = end
    return node


def _table(lines: list[str]) -> Row:
    rows: list[Row] = []
    for line in lines:
        head = line.startswith("||")
        bar = "||" if head else "|"
        cells = line.strip().strip("|").split(bar)
        kind = "tableHeader" if head else "tableCell"
        rows.append(
            {
                "type": "tableRow",
                "content": [
                    {"type": kind, "attrs": {}, "content": [_paragraph(one.strip())]}
                    for one in cells
                ],
            }
        )
    return {"type": "table", "attrs": {"isNumberColumnEnabled": False}, "content": rows}


def _paragraph(text: str) -> Row:
    return {"type": "paragraph", "content": inlines(text)}


def inlines(text: str) -> list[Row]:
    """Return the inline nodes of a line or of lines joined by line feeds."""
    found: list[Row] = []
    at = 0
    for match in _INLINE.finditer(text):
        found += _words(text[at : match.start()])
        found.append(_marked(match))
        at = match.end()
    return found + _words(text[at:])


def _words(text: str) -> list[Row]:
    found: list[Row] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            found.append({"type": "hardBreak"})
        if line:
            found.append({"type": "text", "text": line})
    return found


def _marked(match: re.Match[str]) -> Row:
    kind = match.lastgroup or ""
    if kind == "mention":
        return {
            "type": "mention",
            "attrs": {"id": match["mention"], "text": f"@{match['mention']}"},
        }
    if kind == "href":
        return _link(match["label"], match["href"])
    if kind in {"bare", "url"}:
        return _link(match[kind], match[kind])
    return {"type": "text", "text": match[kind], "marks": [{"type": kind}]}


def _link(text: str, href: str) -> Row:
    return {"type": "text", "text": text, "marks": [{"type": "link", "attrs": {"href": href}}]}
