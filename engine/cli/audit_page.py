"""The page that an auditor reads: one signed export as HTML, from the signal to the seal.

The page holds no script and asks for nothing outside; its policy forbids both. Every text, whoever
wrote it, is escaped, and what cannot be seen (bidi controls, zero widths) is shown by its code
point.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from config.escaping import is_invisible
from engine.cli.audit_sections import Lines, Section, moment, sections, summary

_KEEPS = frozenset("\n\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the chain, as it is shown."""

    number: int
    at: str
    event: str
    step: str
    actor: str
    content: str
    hash: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the template names."""

    key: str
    chain: str
    exported_at: str
    misfit: str
    summary: Lines
    sections: Sequence[Section]
    rows: Sequence[Row]
    seals: Sequence[tuple[str, str]]


def shown(value: object) -> str:
    """Return what the page prints for a value; what cannot be seen as [U+XXXX]."""
    text = str(value)
    return "".join(
        f"[U+{ord(character):04X}]"
        if is_invisible(character) and character not in _KEEPS
        else character
        for character in text
    )


_ENVIRONMENT = Environment(
    loader=PackageLoader("engine.cli", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=shown,
    trim_blocks=True,
    lstrip_blocks=True,
)


def audit_page(document: Mapping[str, Any], *, misfit: str) -> str:
    """Return the page of an export; `misfit` is what its verification found, "" for nothing."""
    ticket = document["ticket"]
    page = Page(
        key=ticket["ref"]["key"] if ticket else document["chain"],
        chain=document["chain"],
        exported_at=moment(document["exported_at"]),
        misfit=misfit,
        summary=summary(document),
        sections=sections(document),
        rows=[_row(row) for row in document["rows"]],
        seals=_seals(document),
    )
    return _ENVIRONMENT.get_template("audit.html.j2").render(page=page)


_IN_STEP = frozenset({"private", "handling", "from", "to"})


def _row(row: Mapping[str, Any]) -> Row:
    body = {name: value for name, value in row["body"].items() if name not in _IN_STEP}
    lines = [f"{name}: {_told(value)}" for name, value in sorted(body.items())]
    beside = row["private"]
    if isinstance(beside, Mapping):
        lines = [f"{name}: {held['text']}" for name, held in beside.items()] + lines
    elif beside:
        lines = [f"personal texts: {beside}", *lines]
    before, after = row["body"].get("from", ""), row["body"].get("to", "")
    return Row(
        number=row["number"],
        at=moment(row["at"]),
        event=row["event"],
        step=f"{before} → {after}" if before and before != after else after,
        actor=row["actor"],
        content="\n".join(lines),
        hash=row["hash"],
        previous=row["previous"],
    )


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seals(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [
        (f"Seal {one['seal']['number']}", "\n".join(_seal(one["seal"], one["head"])))
        for one in document["seals"]
    ]
    return [
        *lines,
        ("Key", document["key"]),
        ("Public key", document.get("public_key", "")),
        ("Signature of the export", document["signature"]),
    ]


def _seal(seal: Mapping[str, Any], head: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        moment(seal["at"]),
        f"binds row {head['number']}: {head['hash']}",
        f"among {seal['size']} head(s) under the root {seal['root']}",
        f"seal: {seal['hash']}",
        f"signature: {seal['signature']}",
        f"seal before: {seal['previous']}",
    )
