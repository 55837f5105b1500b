"""The changelog of an issue, read strictly: who changed which field from what to what, when."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.jira.values import Payload, account, instant, listing, text_of, unfenced
from engine.domain.change import FieldEdit
from engine.domain.refs import Account

STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One item of the changelog.

    `id` is the entry's own; `field` the field's id on Cloud, Data Center shows only the name.
    `is_app` marks an app's account (Cloud says so), which is no person.
    """

    id: str = ""
    at: datetime
    by: Account | None
    is_app: bool
    field: str
    name: str
    old_id: str
    new_id: str
    old: str
    new: str


def edits(system: str, histories: Iterable[Payload], *, is_cloud: bool) -> tuple[Edit, ...]:
    """Return all items, oldest first (the expanded form comes newest first).

    Raises:
        InvalidAnswerError: An entry without an instant, or items that are no list.
    """
    entries = sorted(histories, key=lambda one: (instant(one.get("created"), "created"), _id(one)))
    found: list[Edit] = []
    for entry in entries:
        author = entry.get("author")
        is_app = isinstance(author, Mapping) and author.get("accountType") == "app"
        for item in listing(entry.get("items") or [], "changelog.items"):
            name = text_of(item.get("field"))
            found.append(
                Edit(
                    id=text_of(entry.get("id")),
                    at=instant(entry.get("created"), "changelog.created"),
                    by=account(system, author, is_cloud=is_cloud),
                    is_app=is_app,
                    field=text_of(item.get("fieldId")) or name,
                    name=name,
                    old_id=text_of(item.get("from")),
                    new_id=text_of(item.get("to")),
                    old=text_of(item.get("fromString")),
                    new=text_of(item.get("toString")),
                )
            )
    return tuple(found)


def _id(entry: Payload) -> int:
    found = text_of(entry.get("id"))
    return int(found) if found.isdigit() else 0


def last_edit(history: Iterable[Edit], names: Collection[str]) -> Edit | None:
    """Return the newest edit of one field by its names: its id (Data Center: its name)."""
    found = [edit for edit in history if edit.field in names]
    return found[-1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One stay of an issue in one status."""

    status_id: str
    status: str
    entered_at: datetime
    entered_by: Account | None
    left_at: datetime | None = None
    left_by: Account | None = None


def visits(
    history: Iterable[Edit],
    *,
    created_at: datetime,
    creator: Account | None,
    current: tuple[str, str],
) -> tuple[Visit, ...] | None:
    """Return every stay, oldest first; None where the moves do not fit together.

    Args:
        history: All edits, oldest first.
        created_at: When the issue was made.
        creator: Who made it.
        current: Id and name of the present status, from the record itself.
    """
    moves = [edit for edit in history if edit.field == STATUS]
    first = (moves[0].old_id, moves[0].old) if moves else current
    stays = [Visit(status_id=first[0], status=first[1], entered_at=created_at, entered_by=creator)]
    for move in moves:
        before = stays[-1]
        if before.status_id != move.old_id:
            return None
        stays[-1] = Visit(
            status_id=before.status_id,
            status=before.status,
            entered_at=before.entered_at,
            entered_by=before.entered_by,
            left_at=move.at,
            left_by=move.by,
        )
        stays.append(
            Visit(status_id=move.new_id, status=move.new, entered_at=move.at, entered_by=move.by)
        )
    return tuple(stays) if stays[-1].status_id == current[0] else None


def field_edits(
    history: Iterable[Edit],
    names: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
) -> tuple[FieldEdit, ...]:
    """Return the history in the ports' words.

    Args:
        history: All edits, oldest first.
        names: Native field id or name to our word; others keep the vendor's name.
        labels: Prefix of a label to our word: an edit of labels that concerned it is that word's.
    """
    return tuple(
        FieldEdit(
            field=names.get(edit.field)
            or names.get(edit.name)
            or next((word for prefix, word in (labels or {}).items() if touches(edit, prefix)), "")
            or edit.name,
            old=unfenced(edit.old),
            new=unfenced(edit.new),
            by=edit.by,
            at=edit.at,
        )
        for edit in history
    )


def touches(edit: Edit, prefix: str) -> bool:
    """Whether an edit of labels changed the one with this prefix."""
    if edit.field != "labels":
        return False
    before = {one for one in edit.old.split() if one.startswith(prefix)}
    return before != {one for one in edit.new.split() if one.startswith(prefix)}
