"""One message, at least once, told apart by its id; nothing of its body anywhere else."""

import json
import socket
import traceback
import urllib.request
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.smtp.factory import build
from connectors.smtp.mailer import SMTPMailer
from connectors.smtp.sandbox.server import MailSandbox
from connectors.smtp.settings import Security, SMTPSettings
from engine.errors import PermanentError, TiergateError, TransientError
from engine.ports.findings import Severity
from engine.ports.mailer import Message

SECRET = "S3-cr-et-11"
MESSAGE = Message(
    id="effect@inst", to="bob@private.test", subject="Ihr neues Kennwort für heute", body=SECRET
)


class StandingClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def sink() -> Generator[MailSandbox]:
    with MailSandbox() as started:
        yield started


@pytest.fixture
def mailer(sink: MailSandbox) -> SMTPMailer:
    return mailer_on("127.0.0.1", sink.port)


def mailer_on(host: str, port: int) -> SMTPMailer:
    raw = {"host": host, "port": port, "from": "it@example.test", "timeout": "2s"}
    return build(SMTPSettings.model_validate(raw), StandingClock())


def test_a_message_arrives_whole_with_its_id_as_message_id(
    sink: MailSandbox, mailer: SMTPMailer
) -> None:
    body = "Grüß Gott,\n.\n\nzwei Zeilen\n"
    mailer.send(Message(id="effect@inst", to="bob@private.test", subject="Für Bob", body=body))
    with urllib.request.urlopen(f"{sink.admin_url}/messages?to=bob@private.test") as answer:  # noqa: S310  our own address
        [mail] = json.load(answer)["messages"]
    assert mail["message_id"] == "<effect@inst>"
    assert mail["sender"] == "it@example.test"
    assert mail["recipients"] == ["bob@private.test"]
    assert mail["subject"] == "Für Bob"
    assert mail["body"].replace("\r\n", "\n") == body
    headers = dict(mail["headers"])
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000"


def test_the_same_message_again_carries_the_same_id(sink: MailSandbox, mailer: SMTPMailer) -> None:
    mailer.send(MESSAGE)
    mailer.send(MESSAGE)
    assert {mail["message_id"] for mail in sink.messages} == {"<effect@inst>"}


def test_an_id_without_a_domain_gets_the_sender_s(sink: MailSandbox, mailer: SMTPMailer) -> None:
    mailer.send(Message(id="fault-1", to="ops@example.test", subject="x", body="y"))
    assert sink.messages[0]["message_id"] == "<fault-1@example.test>"


@pytest.mark.parametrize(
    "change",
    [
        {"to": "bob@private.test\r\nBcc: thief@private.test"},
        {"to": "bob@private.test, thief@private.test"},
        {"to": "<bob@private.test>"},
        {"to": "bob"},
        {"to": ""},
        {"to": "bob@private.test\n"},
        {"subject": "Hello\r\nBcc: thief@private.test"},
        {"subject": "Hello\nthere"},
        {"subject": "Hello\x00"},
        {"subject": "x" * 300},
        {"id": "a>\r\nBcc: thief@private.test"},
        {"id": "a b"},
        {"id": ""},
    ],
)
def test_nothing_smuggles_a_header_or_a_second_recipient(
    sink: MailSandbox, mailer: SMTPMailer, change: Mapping[str, str]
) -> None:
    whole = {"id": "a", "to": "bob@private.test", "subject": "s", "body": SECRET, **change}
    with pytest.raises(PermanentError) as caught:
        mailer.send(Message(**whole))
    assert SECRET not in str(caught.value)
    assert not sink.messages


@pytest.mark.parametrize(
    ("fault", "kind", "taken"),
    [
        ({"kind": "5xx", "method": "RCPT"}, TransientError, 0),
        ({"kind": "5xx", "method": "DATA"}, TransientError, 0),
        ({"kind": "5xx", "method": "RCPT", "status": 550}, PermanentError, 0),
        ({"kind": "5xx", "method": "DATA", "status": 554}, PermanentError, 0),
        ({"kind": "drop_before"}, TransientError, 0),
        ({"kind": "drop_after"}, TransientError, 1),
    ],
)
def test_a_refusal_says_whether_to_try_again_and_nothing_of_the_body(
    sink: MailSandbox,
    mailer: SMTPMailer,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, object],
    kind: type[TiergateError],
    taken: int,
) -> None:
    caplog.set_level("DEBUG", logger="connectors")
    caplog.set_level("DEBUG", logger="tiergate")
    sink.faults.add({**fault, "next_n": 1})
    with pytest.raises(kind) as caught:
        mailer.send(MESSAGE)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert SECRET not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("tiergate")
    )
    assert len(sink.messages) == taken


def test_a_server_that_is_not_there_is_a_matter_of_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(TransientError):
        mailer_on("127.0.0.1", port).send(MESSAGE)
    [finding] = mailer_on("127.0.0.1", port).check()
    assert (finding.severity, finding.code) == (Severity.FAULT, "unreachable")


def test_a_server_that_answers_is_reachable(mailer: SMTPMailer) -> None:
    assert [finding.code for finding in mailer.check()] == ["reachable"]


def test_a_server_without_starttls_is_not_given_the_message(sink: MailSandbox) -> None:
    raw = {
        "host": "127.0.0.1",
        "port": sink.port,
        "from": "it@example.test",
        "security": "starttls",
    }
    strict = build(SMTPSettings.model_validate(raw), StandingClock())
    with pytest.raises(PermanentError, match="STARTTLS"):
        strict.send(MESSAGE)
    assert [finding.code for finding in strict.check()] == ["unusable"]
    assert not sink.messages


def test_the_sink_outlives_its_server_and_forgets_when_told(tmp_path: Path) -> None:
    with MailSandbox(tmp_path) as first:
        mailer_on("127.0.0.1", first.port).send(MESSAGE)
    with MailSandbox(tmp_path) as second:
        assert [mail["subject"] for mail in second.messages] == [MESSAGE.subject]
        request = urllib.request.Request(f"{second.admin_url}/messages", method="DELETE")  # noqa: S310  our own address
        urllib.request.urlopen(request).close()  # noqa: S310  as above
        assert not second.messages


def test_the_security_follows_the_host() -> None:
    def chosen(**raw: object) -> tuple[Security, int]:
        settings = SMTPSettings.model_validate({"from": "it@example.test", **raw})
        return settings.chosen_security, settings.chosen_port

    assert chosen(host="localhost") == (Security.NONE, 25)
    assert chosen(host="mail.example.test") == (Security.STARTTLS, 587)
    assert chosen(host="mail.example.test", security="tls") == (Security.TLS, 465)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ({"host": "mail.example.test", "security": "none"}, "cross the network"),
        ({"host": "localhost", "username": "x", "password": "hush-hush"}, "a login needs"),
        ({"host": "mail.example.test", "username": "x"}, "belong together"),
        ({"host": "mail.example.test", "from": "it@example.test\nBcc: x@y.z"}, "one plain"),
        ({"host": "mail.example.test", "from": "IT <it@example.test>"}, "one plain"),
        ({"host": "mail.example.test", "timeout": "1d"}, "between"),
        ({"host": ""}, "host"),
        ({"host": "mail.example.test", "colour": "red"}, "Extra inputs"),
    ],
)
def test_what_would_be_unsafe_or_unknown_is_refused(raw: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        SMTPSettings.model_validate({"from": "it@example.test", **raw})
    assert "hush-hush" not in str(caught.value)
