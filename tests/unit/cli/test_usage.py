"""Wrong usage and bad input end with a sentence that says what to do, exit 2, nothing started."""

import json
import re
import stat
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.installation import load_installation
from connectors.registry import models
from engine import bootstrap
from engine.cli.console import has_colour
from engine.cli.main import app
from engine.cli.running import require_embedded
from engine.domain.effect import EffectPhase
from engine.errors import ConfigurationError
from engine.testing.interruptions import Killed
from tests.unit.cli.chains import CONFIGURATION

SECRET = {"TIERGATE_TEST_PASSWORD": "a-password", "TIERGATE_CONFIG": ""}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], env=SECRET)


def refused(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert not done.stdout
    return done.stderr


def test_a_folder_with_other_things_in_it_is_never_cleared_for_a_demo(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work", encoding="utf-8")
    assert "name a new folder" in refused("demo", "--unattended", "--data", tmp_path)
    assert "name a new folder" in refused("demo", "--unattended", "--data", precious)
    assert precious.read_text("utf-8") == "years of work"


def test_texts_that_cannot_be_read_are_named() -> None:
    assert "/nowhere.jsonl" in refused("classify", "--input", "/nowhere.jsonl")


def test_without_a_configuration_the_way_to_one_is_told(tmp_path: Path) -> None:
    assert "tiergate init" in refused("status", "--config", tmp_path / "none.yaml")


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    config = tmp_path / "tiergate.yaml"
    text = CONFIGURATION.format(folder=tmp_path).replace(f"{tmp_path}/data", "/dev/null/data")
    config.write_text(text, encoding="utf-8")
    assert "/dev/null/data: cannot be made" in refused("status", "--config", config)


def test_a_cluster_is_refused_where_the_file_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERGATE_TEST_PASSWORD", "a-password")
    config = tmp_path / "tiergate.yaml"
    text = CONFIGURATION.format(folder=tmp_path)
    config.write_text(text, encoding="utf-8")
    require_embedded(load_installation(config, models()))
    address = f"sqlite:///{tmp_path}/t.db"
    cluster = text.replace(address, "postgresql+psycopg://h/t") + "runtime: cluster\n"
    config.write_text(cluster, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r":\d+:10: .*one machine"):
        require_embedded(load_installation(config, models()))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_file_nested_without_end_is_refused(tmp_path: Path, opening: str) -> None:
    config = tmp_path / "tiergate.yaml"
    config.write_text(f"a: {opening * 5000}", encoding="utf-8")
    assert ":1:" in refused("status", "--config", config)


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("tiergate 0.")


def test_a_new_installation_begins_with_files_that_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "new"
    assert run("init", into).exit_code == 0
    key = into / "installation.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 64
    for name in ("sn_secret", "ad_password"):
        (into / name).write_text("secret", encoding="utf-8")
    for name in ("SN_CLIENT_ID", "JIRA_TOKEN", "AD_DN"):
        monkeypatch.setenv(name, "something")
    monkeypatch.setenv("JIRA_EMAIL", "tiergate@example.test")
    assert load_installation(into / "tiergate.yaml", models()).key is not None


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "tiers.yaml"
    mine.write_text("mine", encoding="utf-8")
    done = run("init", tmp_path)
    assert done.exit_code == 0
    assert f"left   {mine}" in done.stdout
    assert mine.read_text("utf-8") == "mine"
    key = (tmp_path / "installation.key").read_bytes()
    assert run("init", tmp_path).exit_code == 0
    assert (tmp_path / "installation.key").read_bytes() == key


def test_init_where_nothing_can_be_written_says_so() -> None:
    assert "/dev/null/new" in refused("init", "/dev/null/new")


@pytest.mark.parametrize("name", ["NO_COLOR", "TERM"])
def test_colour_is_left_out_where_the_user_asks_for_plain_text(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colour()
    monkeypatch.setenv(name, "dumb")
    assert not has_colour()


def test_a_script_pauses_and_resumes_and_reads_what_stands(tmp_path: Path) -> None:
    config = tmp_path / "tiergate.yaml"
    config.write_text(CONFIGURATION.format(folder=tmp_path), encoding="utf-8")
    paused = run("pause", "--reason", "maintenance", "--json", "--config", config)
    assert paused.exit_code == 0, paused.output
    assert json.loads(paused.stdout) == {
        "action": None,
        "paused": True,
        "reason": "maintenance",
        "system": None,
    }
    stood = json.loads(run("status", "--json", "--config", config).stdout)
    assert stood["pauses"][0]["reason"] == "maintenance"
    assert stood["effects"] == dict.fromkeys(map(str, EffectPhase), 0)
    assert "Effects\n  none" in run("status", "--config", config).stdout
    resumed = run("resume", "--json", "--config", config)
    assert json.loads(resumed.stdout) == {"action": None, "paused": False, "system": None}
    assert run("resume", "--json", "--config", config).exit_code == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("pause",), 0),
        (("status",), 0),
        (("tickets",), 0),
        (("tiers", "check"), 0),
        (("check",), 2),
        (("run", "--once"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_only_who_asks_a_system_needs_its_secrets(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    config = tmp_path / "tiergate.yaml"
    config.write_text(CONFIGURATION.format(folder=tmp_path), encoding="utf-8")
    shipped = resources.files("config") / "defaults" / "tiers.yaml"
    tiers = shipped.read_text("utf-8").replace("corporate-directory", "directory")
    tiers = re.sub(r", jira: \S+?(?=})", "", tiers)
    (tmp_path / "tiers.yaml").write_text(tiers, encoding="utf-8")
    nothing = {"TIERGATE_TEST_PASSWORD": None, "TIERGATE_CONFIG": ""}
    done = CliRunner().invoke(app, [*command, "--config", str(config)], env=nothing)
    assert done.exit_code == code, done.output
    assert ("TIERGATE_TEST_PASSWORD is not set" in done.output) is bool(code)


@pytest.mark.parametrize("where", ["os.fsync", "secrets.token_hex"])
def test_a_start_that_dies_while_it_makes_the_key_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("TIERGATE_TEST_PASSWORD", "a-password")
    file = tmp_path / "tiergate.yaml"
    file.write_text(CONFIGURATION.format(folder=tmp_path), encoding="utf-8")
    (tmp_path / "data").mkdir()
    configured = load_installation(file, models())

    def die(_any: int) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(where, die)
        with pytest.raises(Killed):
            bootstrap._installation_key(configured)  # what every daemon's directories are given
    key = bootstrap._installation_key(configured)
    assert len(key) == 64
    assert bootstrap._installation_key(configured) == key
    assert stat.S_IMODE((configured.data / "installation.key").stat().st_mode) == 0o600
