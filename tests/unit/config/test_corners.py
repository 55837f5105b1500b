"""Places, quantities and references at their edges."""

from pathlib import Path

import pytest

from config.document import load_document
from config.problems import InvalidConfigurationError
from config.schemas import schema_text, write_schemas
from config.simulate import check_tier_map
from config.tier_map import compile_tier_map
from engine.domain.action import Catalogue, Tier
from engine.errors import ConfigurationError


def document(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_values_are_found_by_path_and_keep_their_yaml_types(tmp_path: Path) -> None:
    text = "a: [1, 0x10, 012, -3]\nb: {c: no, d: true, e: null, f: 1.5}\ng: 2026-12-18\n"
    loaded = load_document(document(tmp_path, text))
    assert loaded.data == {
        "a": [1, 16, 12, -3],
        "b": {"c": "no", "d": True, "e": None, "f": 1.5},
        "g": "2026-12-18",
    }
    assert loaded.get(("a", 1)) == 16
    assert loaded.get(("b", "f")) == 1.5
    assert loaded.get(("a", 9)) is None
    assert loaded.get(("g", "deeper")) is None
    assert (loaded.place(("b", "d")).line, loaded.place(("b", "d")).column) == (2, 15)
    assert loaded.place(("b", "d"), key=True).column == 12
    assert loaded.place(("b", "unheard_of", "deeper")) == loaded.place(("b",))


def test_a_place_inside_a_text_counts_its_quote_and_leaves_folded_ones_alone(
    tmp_path: Path,
) -> None:
    loaded = load_document(document(tmp_path, "a: plain\nb: 'quoted'\nc: |\n  folded\n"))
    assert loaded.inside(("a",), 2).column == 6
    assert loaded.inside(("b",), 2).column == 7
    assert loaded.inside(("c",), 2) == loaded.place(("c",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: \xff\n", "is not UTF-8"),
        ("? [a]\n: b\n", "expected a plain text as key"),
        ("a: &x [*x]\n", "refers to itself"),
        ("a: " + "[" * 80 + "]" * 80, "nested too deeply"),
        ("a: !mine {}\n", "unknown tag"),
        ("a: !mine x\n", "unknown tag"),
        ("a: *nobody\n", "is not YAML"),
        ("a: \x07\n", "is not YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match=message):
        load_document(document(tmp_path, text))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_document(tmp_path)


EXTRA = """
roles:
  broken: {groups: [a], actions: [reset_password, ad_group_member]}
tests:
  - {ticket: {action: reset_pasword}, expect: {action: none}}
  - {ticket: {action: unlock_account, at: someday}, expect: {gate: none}}
"""


def test_roles_and_tests_name_actions_that_exist(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    head = default_map.read_text("utf-8").split("\nroles:", 1)[0]
    path = document(tmp_path, head + EXTRA)
    with pytest.raises(InvalidConfigurationError) as caught:
        compile_tier_map(path, catalogue)
    assert [str(problem).split(": ", 1)[1] for problem in caught.value.problems] == [
        "reset_password has no group that a role template could cover",
        'unknown action "ad_group_member" (did you mean "add_group_member"?)',
        'unknown action "reset_pasword" (did you mean "reset_password"?)',
    ]


def test_a_test_whose_instant_is_none_fails_with_the_reason(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    head = default_map.read_text("utf-8").split("\nroles:", 1)[0]
    path = document(
        tmp_path,
        head + "\ntests: [{ticket: {action: unlock_account, at: someday}, expect: {gate: none}}]\n",
    )
    (result,) = check_tier_map(path, catalogue).tests
    assert result.decision is None
    assert "expected a date" in result.differences[0]


def test_freezes_with_dates_that_are_none_are_refused(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    text = default_map.read_text("utf-8")
    path = document(tmp_path, text.replace("2026-12-18", "soon").replace("2027-01-04", "later"))
    with pytest.raises(InvalidConfigurationError, match='"soon" does not fit'):
        compile_tier_map(path, catalogue)
    path = document(tmp_path, text.replace("2027-01-04", "later"))
    with pytest.raises(InvalidConfigurationError, match='"later" does not fit'):
        compile_tier_map(path, catalogue)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("window: {lead: 0h", "window: {lead: 20d", "would open after the change has expired"),
        ("expires: 10d", "expires: 0d", "can never be approved"),
        ("tell: {after: 5d", "tell: {after: 15d", "tell would come after"),
        ("hours: ", "holidays: here.ics, hours: ", "does not fit"),
    ],
)
def test_terms_that_contradict_each_other_are_refused(
    old: str, new: str, message: str, default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "here.ics").write_text("no calendar", "utf-8")
    path = document(tmp_path, default_map.read_text("utf-8").replace(old, new, 1))
    with pytest.raises(InvalidConfigurationError, match=message):
        compile_tier_map(path, catalogue)


def test_an_actions_own_gate_refines_the_default(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    own = "risk: {blast_radius: 1, irreversibility: 0, regulatory: 1}     # floor: tier 2\n"
    terms = "kind: desk, approvers: 2, expires: 3d, remind: 1d, tell: {after: 2d, whom: a}"
    gate = f"{own}    gate: {{{terms}}}\n"
    path = document(tmp_path, default_map.read_text("utf-8").replace(own, gate, 1))
    policy = compile_tier_map(path, catalogue).actions["add_group_member"]
    assert policy.risk.floor is Tier.TWO
    assert policy.gate_policy.least_approvers == 2
    assert policy.gate_policy.expires.days == 3
    assert policy.tier_two_gate.value == "desk"


def test_schemas_are_written_as_they_are_told(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert [path.name for path in written] == ["tiergate.schema.json", "tiers.schema.json"]
    assert written[1].read_text("utf-8") == schema_text("tiers")
