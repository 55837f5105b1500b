import json
from pathlib import Path
from typing import Any

import pytest

from engine.domain.canonical import canonical_json
from engine.store.keys import load_or_create
from tests.unit.cli.chains import Chains


def forged(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Sign a document anew with a key of one's own."""
    own = load_or_create(folder)
    content = {name: value for name, value in document.items() if name != "signature"}
    content |= {"public_key": own.public.hex(), "key": own.fingerprint}
    return {**content, "signature": own.sign(canonical_json(content))}


def test_an_export_is_verified_without_any_configuration(kept: Chains) -> None:
    ref = kept.approved()
    key = json.loads(kept.audit("key", "--json").stdout)["public_key"]
    done = kept.audit(
        "verify", "--file", str(kept.written(ref)), "--public-key", key, is_configured=False
    )
    assert done.exit_code == 0, done.output
    assert "every row, seal and the signature fit" in done.stdout
    assert not done.stderr


def test_without_a_key_of_his_own_the_auditor_is_told_what_that_proves(kept: Chains) -> None:
    done = kept.audit("verify", "--file", str(kept.written(kept.approved())), is_configured=False)
    assert done.exit_code == 0
    assert "taken from the file itself" in done.stderr


@pytest.mark.parametrize("what", ["row", "approver", "plan", "cut"])
def test_a_changed_export_does_not_pass(kept: Chains, what: str) -> None:
    ref = kept.approved()
    document = kept.export(ref)
    match what:
        case "row":
            document["rows"][3]["actor"] = "nobody"
        case "approver":
            row = next(one for one in document["rows"] if one["body"].get("to") == "approved")
            row["body"]["approvers"][0]["id"] = "somebody-else"
        case "plan":
            document["handlings"][0]["plan"]["bound"]["subject"]["id"] = "somebody-else"
        case _:
            document["rows"].pop()
    path = kept.config.parent / "changed.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    done = kept.audit("verify", "--file", str(path), is_configured=False)
    assert done.exit_code == 1
    assert "changed, or signed with another key" in done.stderr


def test_a_forgery_signed_with_another_key_fails_against_the_installation_s_key(
    kept: Chains, tmp_path: Path
) -> None:
    ref = kept.approved()
    folder = tmp_path / "thief"
    folder.mkdir()
    document = forged(kept.export(ref), folder)
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    key = kept.store.public_key.hex()
    given = kept.audit("verify", "--file", str(path), "--public-key", key, is_configured=False)
    assert given.exit_code == 1
    # Also by the thief's own key: the seals were made with another one.
    assert kept.audit("verify", "--file", str(path), is_configured=False).exit_code == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", "nonsense", '{"public_key": "zz"}'])
def test_what_is_no_export_ends_with_a_sentence(kept: Chains, content: str) -> None:
    path = kept.config.parent / "other.json"
    path.write_text(content, encoding="utf-8")
    done = kept.audit("verify", "--file", str(path), is_configured=False)
    assert done.exit_code == 1
    assert "ChainBrokenError: " in done.stderr
    assert not done.stdout


def test_a_signed_document_of_another_shape_ends_with_a_sentence(
    kept: Chains, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    path = tmp_path / "shape.json"
    document = forged({"format": "tiergate-audit-export-1", "rows": [7]}, folder)
    path.write_text(json.dumps(document), encoding="utf-8")
    done = kept.audit("verify", "--file", str(path), is_configured=False)
    assert done.exit_code == 1
    assert "has not the shape" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--file", "x.json", "--ticket", "INC1"),
        ("--public-key", "00"),
        ("--file", "does-not-exist.json"),
    ],
)
def test_wrong_usage_of_verify_exits_2(kept: Chains, arguments: tuple[str, ...]) -> None:
    assert kept.audit("verify", *arguments, is_configured=False).exit_code == 2


def test_a_page_is_written_for_reading(kept: Chains) -> None:
    ref = kept.approved()
    to = kept.config.parent / "page.html"
    done = kept.audit("export", "--ticket", ref.key, "--format", "html", "--to", str(to))
    assert done.exit_code == 0, done.output
    text = to.read_text("utf-8")
    assert f"Audit of {ref.key}" in text
    assert "the signature fitted" in text


def test_an_export_on_stdout_is_one_json_document_that_verifies(kept: Chains) -> None:
    ref = kept.approved()
    done = kept.audit("export", "--ticket", ref.key)
    assert done.exit_code == 0, done.output
    path = kept.config.parent / "out.json"
    path.write_text(done.stdout, encoding="utf-8")
    assert kept.audit("verify", "--file", str(path), is_configured=False).exit_code == 0


def test_an_export_that_cannot_be_written_says_so(kept: Chains) -> None:
    ref = kept.approved()
    to = kept.config.parent / "no-such-folder" / "x.json"
    done = kept.audit("export", "--ticket", ref.key, "--to", str(to))
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


def test_erasure_is_recorded_with_its_reason_and_verify_stays_green(kept: Chains) -> None:
    ref = kept.approved(description="my private matter")
    done = kept.audit("erase", "--ticket", ref.key, "--why", "asked for under article 17")
    assert done.exit_code == 0, done.output
    assert kept.audit("verify").exit_code == 0
    document = kept.export(ref)
    assert document["rows"][-1]["body"]["why"] == "asked for under article 17"
    assert document["rows"][-1]["actor"].startswith("operator ")
    assert "my private matter" not in json.dumps(document)
    path = kept.written(ref)
    assert kept.audit("verify", "--file", str(path), is_configured=False).exit_code == 0


def test_a_live_ticket_is_not_erased_and_no_erasure_goes_without_a_reason(kept: Chains) -> None:
    live = kept.world.ask("I need access to the database")
    kept.world.run()
    refused = kept.audit("erase", "--ticket", live.key, "--why", "asked")
    assert refused.exit_code == 1
    assert "is live" in refused.stderr
    assert kept.audit("erase", "--ticket", live.key, "--why", "  ").exit_code == 1
    assert kept.world.handling(live).requester is not None
