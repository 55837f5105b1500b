"""Other people's changes that name what ours touches, in its window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.jira.client import JiraClient
from connectors.jira.moves import status_of
from connectors.jira.own_changes import LABEL, listing_text
from connectors.jira.plan_form import PlanForm
from connectors.jira.values import Payload, mapping, quoted, text_of
from engine.domain.decision import Window

_MOST = 10
_LISTED = 200
_SHORTEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """Where changes are looked for, and which of the issues found are changes."""

    project: str
    fields: tuple[str, ...]
    is_change: Callable[[Payload], bool]


def naming(
    client: JiraClient, form: PlanForm, among: Among, names: Sequence[str], window: Window
) -> tuple[str, ...]:
    """Return a line for each open change that names one of these, and one for what is left out.

    The index is what is asked: a change made within its lag is not seen.

    Raises:
        TransientError: Nothing can be said now.
    """
    sought = [name for name in dict.fromkeys(names) if len(name) >= _SHORTEST]
    if not sought:
        return ()
    texts = " OR ".join(f"text ~ {quoted(_phrase(name))}" for name in sought)
    jql = (
        f"project = {quoted(among.project)} AND statusCategory != Done AND ({texts})"
        " ORDER BY created DESC"
    )
    fields = ("summary", "status", "labels", *form.window_ids(), *among.fields)
    lines: list[str] = []
    for hit in client.search_all(jql, fields, most=_LISTED):
        held = mapping(hit.get("fields"), "issue.fields")
        planned = form.window(held)
        is_theirs = among.is_change(held) and LABEL not in listing_text(held.get("labels"))
        if is_theirs and _meet(planned, window):
            lines.append(_line(hit, held, planned))
    found = sorted(lines)[:_MOST]
    if len(lines) > _MOST:
        found.append(f"and {len(lines) - _MOST} more changes that name it")
    return tuple(found)


def _line(hit: Payload, held: Payload, planned: Window) -> str:
    status = status_of(held.get("status")).name
    is_dated = planned.earliest is not None or planned.latest is not None
    when = f"{_at(planned.earliest)} to {_at(planned.latest)}" if is_dated else "no dates"
    return f"{text_of(hit.get('key'))} ({status}, {when}): {text_of(held.get('summary'))}"


def _phrase(name: str) -> str:
    """Return a name as one phrase of a text search, in which quotes and backslashes end it."""
    words = "".join(one if one.isalnum() or one in "._- " else " " for one in name)
    return f'"{" ".join(words.split())}"'


def _meet(one: Window, other: Window) -> bool:
    return _begins_before(one, other) and _begins_before(other, one)


def _begins_before(one: Window, other: Window) -> bool:
    """Whether the one begins before the other ends; an open end never comes."""
    return one.earliest is None or other.latest is None or one.earliest < other.latest


def _at(moment: datetime | None) -> str:
    return f"{moment:%d %b %Y %H:%M} UTC" if moment else "open"
