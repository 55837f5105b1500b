from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from config.installation import load_installation
from config.problems import InvalidConfigurationError
from engine.domain.decision import Phase


class AuthSettings(BaseModel, extra="forbid", frozen=True):
    user: str = ""
    password: SecretStr
    retries: int = 1


class ThingSettings(BaseModel, extra="forbid", frozen=True):
    kind: str = "thing"
    url: str
    auth: AuthSettings


class MailSettings(BaseModel, extra="forbid", frozen=True):
    host: str


MODELS: dict[str, type[BaseModel]] = {"thing": ThingSettings, "smtp": MailSettings}
ENVIRONMENT = {"USER_NAME": "tiergate", "TOKEN": "top-secret-token"}
GOOD = """\
store: {url: "sqlite:///tiergate.db"}
systems:
  desk:
    kind: thing
    url: https://desk.test
    auth: {user: env:USER_NAME, password: file:pw}
  other: {kind: thing, url: "https://other.test", auth: {password: env:TOKEN}}
changes: {other: desk}
directories:
  people: {kind: thing, url: "ldaps://d", auth: {password: env:TOKEN}}
mail: {host: localhost}
tell: {faults: {incident_in: desk, group: Automation}, mail: [a@b.test]}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "pw").write_text("s3cret-from-file\n", "utf-8")
    path = folder / "tiergate.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlite:///tiergate.db", "sqlite:///{folder}/tiergate.db"),
        ("sqlite:///var/tiergate.db", "sqlite:///{folder}/var/tiergate.db"),
        ("sqlite+pysqlite:///t.db", "sqlite+pysqlite:///{folder}/t.db"),
        ("sqlite:////srv/tiergate.db", "sqlite:////srv/tiergate.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg:///tiergate", "postgresql+psycopg:///tiergate"),
    ],
)
def test_a_relative_store_lies_beside_the_file_wherever_the_daemon_is_started(
    given: str, expected: str, tmp_path: Path
) -> None:
    path = write(tmp_path, GOOD.replace("sqlite:///tiergate.db", given))
    loaded = load_installation(path, MODELS, environment=ENVIRONMENT)
    assert loaded.store_url.get_secret_value() == expected.format(folder=tmp_path)


def problems_of(folder: Path, text: str, **environment: str) -> list[str]:
    path = write(folder, text)
    try:
        load_installation(path, MODELS, environment={**ENVIRONMENT, **environment})
    except InvalidConfigurationError as error:
        return [str(problem).removeprefix(f"{path}:") for problem in error.problems]
    return []


def test_systems_are_validated_by_their_own_models_with_secrets_resolved(tmp_path: Path) -> None:
    found = load_installation(write(tmp_path, GOOD), MODELS, environment=ENVIRONMENT)
    settings = found.systems["desk"].settings
    assert isinstance(settings, ThingSettings)
    assert settings.auth.user == "tiergate"
    assert settings.auth.password.get_secret_value() == "s3cret-from-file"
    assert found.changes == {"desk": "desk", "other": "desk"}
    assert found.names == {"desk", "other", "people"}
    assert found.mail is not None
    assert found.mail.settings == MailSettings(host="localhost")
    assert found.tiers == tmp_path / "tiers.yaml"
    assert found.data == tmp_path
    assert found.templates is None


def test_comments_templates_and_triage_are_read(tmp_path: Path) -> None:
    more = (
        "comments: {done: comment_done}\ntemplates: texts\ntriage: {phase: gated}\nresolve: false\n"
    )
    found = load_installation(write(tmp_path, GOOD + more), MODELS, environment=ENVIRONMENT)
    assert found.comments == {"done": "comment_done"}
    assert found.templates == tmp_path / "texts"
    assert found.triage.phase is Phase.GATED
    assert found.triage.confidence == 0.8
    assert not found.resolve
    problems = problems_of(tmp_path, GOOD + "comments: {dnoe: comment_done}\n")
    assert problems == ['13:12: unknown key "dnoe" (did you mean "done"?)']


def test_nothing_printed_of_an_installation_holds_a_secret(tmp_path: Path) -> None:
    found = load_installation(write(tmp_path, GOOD), MODELS, environment=ENVIRONMENT)
    assert "s3cret-from-file" not in repr(found)
    assert "top-secret-token" not in repr(found)


def test_a_file_reference_without_a_path_leads_to_the_credentials_folder(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "pw").write_text("from systemd", "utf-8")
    environment = {**ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(folder)}
    found = load_installation(write(tmp_path, GOOD), MODELS, environment=environment)
    settings = found.systems["desk"].settings
    assert isinstance(settings, ThingSettings)
    assert settings.auth.password.get_secret_value() == "from systemd"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("changes:", "chagnes:", '8:1: unknown key "chagnes" (did you mean "changes"?)'),
        ("url: https://desk.test", "ulr: x", '5:5: unknown key "ulr" (did you mean "url"?)'),
        ("url: https://desk.test\n    ", "", '4:5: missing key "url"'),
        ("    kind: thing\n", "", '4:5: missing key "kind"'),
        ("kind: thing", "kind: thign", '4:11: unknown kind "thign" (did you mean "thing"?)'),
        ("file:pw}", "file:pw, retries: x}", '6:61: "x" is not what "retries" needs'),
        ("file:pw", "file:none", '6:43: "file:none" leads nowhere'),
        ("env:USER_NAME", "env:NOBODY", '6:18: "env:NOBODY" leads nowhere (environment variable'),
        ("file:pw", "hunter2", '6:43: "password" is a secret and must not stand in this file'),
        ("{other: desk}", "{othr: desk}", '8:11: unknown system "othr" (did you mean "other"?)'),
        ("{other: desk}", "{other: dsk}", '8:18: unknown system "dsk" (did you mean "desk"?)'),
        ("incident_in: desk", "incident_in: dks", '12:30: unknown system "dks"'),
        ("people:", "desk:", '10:3: "desk" is also the name of a system'),
        ("sqlite:///tiergate.db", "postgresql://a:hunter2@b/c", '1:14: "url" is a secret'),
        ("store:", "runtime: cluster\nstore:", "2:14: runtime cluster needs PostgreSQL"),
        ("store:", "classifier: {threshold: 1.5}\nstore:", '1:25: "1.5" does not fit'),
        ("systems:", "systems: 3\nsystem:", '2:10: "3" is not what "systems" needs'),
    ],
)
def test_a_mistake_is_named_with_its_place(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    assert old in GOOD
    found = problems_of(tmp_path, GOOD.replace(old, new, 1))
    assert any(one.startswith(problem) for one in found), found


def test_a_wrong_value_behind_a_reference_is_not_repeated(tmp_path: Path) -> None:
    text = GOOD.replace("file:pw}", "file:pw, retries: env:TOKEN}")
    found = problems_of(tmp_path, text)
    assert found
    assert not any("top-secret-token" in one for one in found)


def test_mistakes_of_all_sections_are_reported_together(tmp_path: Path) -> None:
    text = (
        GOOD.replace("url: https://desk.test", "ulr: x")
        .replace("host: localhost", "hots: x")
        .replace("{other: desk}", "{other: dsk}")
        .replace("env:USER_NAME", "env:NOBODY")
    )
    lines = {one.split(":", 1)[0] for one in problems_of(tmp_path, text)}
    assert {"5", "6", "11"} <= lines


def test_mail_without_a_mail_connector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="sends mail"):
        load_installation(write(tmp_path, GOOD), {"thing": ThingSettings}, environment=ENVIRONMENT)
