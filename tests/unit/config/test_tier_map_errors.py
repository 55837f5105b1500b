from pathlib import Path

import pytest
from ruamel.yaml import YAML

from config.problems import InvalidConfigurationError
from config.tier_map import compile_tier_map
from engine.domain.action import Catalogue
from engine.errors import ConfigurationError

SYSTEMS = {"servicenow", "jira", "corporate-directory"}
GOOD = """\
version: 1
authorities:
  owners: {servicenow: b85d}
gate: {authority: owners}
actions:
  reset_password:
    does: Set a temporary password
    risk: {blast_radius: 0, irreversibility: 1, regulatory: 0}
    target: corporate-directory
rules:
  - when: subject.vip
    tier: 3
    because: Executives wait
"""


def problems_of(text: str, tmp_path: Path, catalogue: Catalogue) -> list[str]:
    path = tmp_path / "tiers.yaml"
    path.write_text(text, "utf-8")
    try:
        compile_tier_map(path, catalogue, SYSTEMS)
    except InvalidConfigurationError as error:
        return [str(problem).removeprefix(f"{path}:") for problem in error.problems]
    return []


def test_a_good_map_has_no_problems(tmp_path: Path, catalogue: Catalogue) -> None:
    assert problems_of(GOOD, tmp_path, catalogue) == []


MISTAKES = YAML(typ="safe").load(Path(__file__).with_name("mistakes.yaml").read_text("utf-8"))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["new"] or "left out")
def test_a_mistake_is_named_with_its_place_and_what_was_expected(
    mistake: dict[str, str], tmp_path: Path, catalogue: Catalogue
) -> None:
    assert mistake["old"] in GOOD
    text = GOOD.replace(mistake["old"], mistake["new"], 1)
    found = problems_of(text, tmp_path, catalogue)
    assert any(one.startswith(mistake["problem"]) for one in found), found


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    text = (
        GOOD.replace("gate: {authority: owners}", "gate: {authority: owner, expirs: 3d}")
        .replace("irreversibility: 1", "irreversibility: 0")
        .replace("when: subject.vip", "when: subject.vipp")
        .replace("tier: 3", "tier: 3\n    colour: red")
        + "  - {when: subject.vipp, tier: 2, because: Again}\n"
    )
    found = problems_of(text, tmp_path, catalogue)
    lines = [int(one.split(":", 1)[0]) for one in found]
    assert lines == sorted(lines)
    assert set(lines) == {4, 8, 13, 15}
    assert len(found) == 5


def test_a_broken_rule_does_not_hide_mistakes_elsewhere(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    text = GOOD.replace("tier: 3", "tier: three").replace(
        "target: corporate-directory", "target: x"
    )
    found = problems_of(text, tmp_path, catalogue)
    assert [one.split(":", 1)[0] for one in found] == ["9", "12"]


def test_a_file_that_is_no_yaml_says_where(tmp_path: Path, catalogue: Catalogue) -> None:
    (found,) = problems_of("version: 1\ngate: {authority: [owners}\n", tmp_path, catalogue)
    assert found.startswith("2:")
    assert "is not YAML" in found


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_a_file_without_keys_is_refused(text: str, tmp_path: Path, catalogue: Catalogue) -> None:
    assert problems_of(text, tmp_path, catalogue)


def test_an_alias_that_contains_itself_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    found = problems_of(GOOD + "roles: &roles\n  a: *roles\n", tmp_path, catalogue)
    assert any("refers to itself" in one for one in found)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        compile_tier_map(tmp_path / "none.yaml", catalogue, SYSTEMS)


def test_holidays_and_hours_are_read_and_checked(tmp_path: Path, catalogue: Catalogue) -> None:
    calendars = (
        "calendars:\n"
        '  office: {timezone: Europe/Berln, hours: "Mon-Fri 08:00-18:00"}\n'
        '  shop: {timezone: Europe/Berlin, hours: "Mo-Fr 8-18"}\n'
        '  lab: {timezone: UTC, hours: "Mon 08:00-18:00", holidays: none.ics}\n'
    )
    found = problems_of(GOOD + calendars, tmp_path, catalogue)
    assert [one.split(" ", 1)[0] for one in found] == ["15:22:", "16:42:", "17:60:"]


def test_a_freeze_that_ends_before_it_begins_is_refused(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    freezes = "freezes:\n  - {name: A, from: 2026-12-18, to: 2026-12-01, tiers: [3]}\n"
    (found,) = problems_of(GOOD + freezes, tmp_path, catalogue)
    assert found == '15:37: "2026-12-01" is not after "2026-12-18"'


def test_a_standard_change_needs_its_pinned_template(tmp_path: Path, catalogue: Catalogue) -> None:
    text = GOOD.replace(
        "target: corporate-directory", "target: corporate-directory\n    change: {kind: standard}"
    )
    (found,) = problems_of(text, tmp_path, catalogue)
    assert "pinned template" in found


def test_catalog_items_name_parameters_that_the_action_has(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    text = GOOD.replace(
        "target: corporate-directory",
        "target: corporate-directory\n"
        "    catalog_items: [{id: a, variables: {who: group}, subject: who}]",
    )
    found = problems_of(text, tmp_path, catalogue)
    assert any('unknown parameter "group"' in one for one in found)
    assert any("for the requester's own account" in one for one in found)


def test_the_digest_changes_with_the_content_and_not_with_its_looks(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    def digest(text: str) -> str:
        path = tmp_path / "tiers.yaml"
        path.write_text(text, "utf-8")
        return compile_tier_map(path, catalogue, SYSTEMS).digest

    assert digest(GOOD) == digest("# a comment\n" + GOOD)
    assert digest(GOOD) != digest(GOOD.replace("tier: 3", "tier: 2"))
