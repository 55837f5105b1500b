"""The classifier alone, as scripts read it: a line of JSON for each text, whatever is in it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.main import app

SECRETS = dict.fromkeys(("SN_CLIENT_ID", "JIRA_TOKEN", "AD_DN", "JIRA_EMAIL"), "a-secret")
TEXTS = (
    "Please add me to the group git-users",
    "How do I change my password?",
    "password \u2028 reset",  # a line separator
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert CliRunner().invoke(app, ["init", str(tmp_path)]).exit_code == 0
    for name in ("sn_secret", "ad_password"):
        (tmp_path / name).write_text("secret", encoding="utf-8")
    return tmp_path / "tiergate.yaml"


def test_every_text_is_answered_by_one_line_of_json_with_the_names_that_show_uses(
    config: Path,
) -> None:
    lines = "\n".join(json.dumps({"short_description": text}) for text in TEXTS)
    done = CliRunner().invoke(
        app, ["classify", "--json", "--config", str(config)], input=lines, env=SECRETS
    )
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["text"] for one in told] == list(TEXTS)
    assert told[0]["intent"] == "add_group_member"
    assert told[0]["parameters"]["group"]["value"] == "git-users"
    assert told[1]["intent"] is None
    assert "It asks about something" in told[1]["abstained"]
    assert all(set(one) == set(told[0]) for one in told)
