"""The changelog read strictly."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.jira.history import edits, field_edits, touches, visits
from engine.errors import InvalidAnswerError

BOB = {"accountId": "bob", "displayName": "Bob", "accountType": "atlassian"}


def entry(number: int, minute: int, *items: dict[str, Any], author: object = BOB) -> dict[str, Any]:
    created = f"2026-11-20T11:{minute:02d}:00.000+0100"
    return {"id": str(number), "author": author, "created": created, "items": list(items)}


def status(old: str, new: str) -> dict[str, Any]:
    return {
        "field": "status", "fieldId": "status", "fieldtype": "jira",
        "from": old, "fromString": old, "to": new, "toString": new,
    }  # fmt: skip


def item(field: str, old: str, new: str) -> dict[str, Any]:
    return {"field": field, "from": None, "fromString": old, "to": None, "toString": new}


CREATED = datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_entries_come_oldest_first_whichever_way_they_were_sent() -> None:
    newest_first = [entry(2, 9, status("b", "c")), entry(1, 5, status("a", "b"))]
    found = edits("jira", newest_first, is_cloud=True)
    assert [(edit.old, edit.new) for edit in found] == [("a", "b"), ("b", "c")]
    assert found[0].at == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)


def test_entries_of_one_instant_keep_the_order_of_their_ids() -> None:
    found = edits(
        "jira", [entry(10, 5, status("b", "c")), entry(9, 5, status("a", "b"))], is_cloud=True
    )
    assert [edit.new for edit in found] == ["b", "c"]


def test_stays_follow_from_the_moves_and_from_who_made_the_issue() -> None:
    found = edits("jira", [entry(1, 5, status("a", "b"))], is_cloud=True)
    stays = visits(found, created_at=CREATED, creator=None, current=("b", "b"))
    assert stays is not None
    assert [(stay.status_id, stay.left_at is None) for stay in stays] == [("a", False), ("b", True)]
    assert stays[0].left_by is not None
    assert stays[0].left_by.id == stays[1].entered_by.id == "bob"  # type: ignore[union-attr]  # asserted above


@pytest.mark.parametrize(
    ("moves", "current"),
    [
        ([status("a", "b"), status("c", "d")], "d"),
        ([status("a", "b")], "c"),
        ([], "a"),
    ],
)
def test_moves_that_do_not_fit_together_are_no_history(
    moves: list[dict[str, Any]], current: str
) -> None:
    found = edits("jira", [entry(n, n, one) for n, one in enumerate(moves)], is_cloud=True)
    stays = visits(found, created_at=CREATED, creator=None, current=(current, current))
    assert (stays is None) is bool(moves)


def test_data_center_names_fields_by_name_alone() -> None:
    found = edits("jira", [entry(1, 1, item("Backout plan", "old", "new"))], is_cloud=False)
    (edit,) = field_edits(found, {"customfield_10041": "backout", "Backout plan": "backout"})
    assert (edit.field, edit.old, edit.new) == ("backout", "old", "new")


def test_what_has_no_word_of_ours_keeps_the_vendors_name() -> None:
    found = edits("jira", [entry(1, 1, item("Sprint", "", "7"))], is_cloud=True)
    assert field_edits(found, {})[0].field == "Sprint"


def test_labels_count_as_a_field_only_where_its_own_label_changed() -> None:
    ours, other = (
        edits("jira", [entry(1, 1, item("labels", before, after))], is_cloud=True)[0]
        for before, after in (("a group-x", "a group-y"), ("group-x", "group-x b"))
    )
    assert touches(ours, "group-")
    assert not touches(other, "group-")
    words = [one.field for one in field_edits([ours, other], {}, {"group-": "assignment_group"})]
    assert words == ["assignment_group", "labels"]


def test_an_author_who_is_gone_cannot_be_told() -> None:
    (edit,) = edits("jira", [entry(1, 1, status("a", "b"), author=None)], is_cloud=True)
    assert edit.by is None
    app = {"accountId": "x", "displayName": "Automation", "accountType": "app"}
    assert edits("jira", [entry(1, 1, status("a", "b"), author=app)], is_cloud=True)[0].is_app


def test_an_entry_without_an_instant_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError):
        edits("jira", [{"id": "1", "items": [status("a", "b")]}], is_cloud=True)


@pytest.mark.shared
def test_recorded_changelogs_are_read(shared: Path) -> None:
    for name in ("cloud", "onpremise"):
        path = f"{name}_issue__TestIssueService_Get_Fields_Changelog.json"
        bean = json.loads((shared / "fixtures/jira/go-jira" / path).read_text())
        histories = bean["changelog"]["histories"]
        found = edits("jira", histories, is_cloud=name == "cloud")
        assert len(found) == sum(len(one["items"]) for one in histories)
