"""The sandbox directory itself, and the connector when the conversation breaks."""

import json
import socket
import urllib.request
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import certifi
import ldap3
import pytest

from connectors.ldap.factory import LDAPAdapters, build
from connectors.ldap.sandbox.seed import ACCESS_LOG, GROUPS, PEOPLE, group_dn, person_dn
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.ldap.settings import LDAPSettings
from connectors.sandboxkit.tls import ensure_tls
from engine.domain.action import BoundAction
from engine.errors import OutcomeUnknownError, PermanentError, TransientError
from engine.ports.findings import Severity
from tests.integration.ldap.worlds import KEY, ShiftedClock

CLOCK = ShiftedClock(timedelta(0))


@pytest.fixture
def sandbox() -> Generator[DirectorySandbox]:
    with DirectorySandbox() as started:
        yield started


@pytest.fixture
def adapters(sandbox: DirectorySandbox) -> Generator[LDAPAdapters]:
    made = adapters_on(sandbox)
    yield made
    made.close()


def adapters_on(sandbox: DirectorySandbox, **changes: object) -> LDAPAdapters:
    account = sandbox.accounts["integration"]
    raw: dict[str, object] = {
        "flavour": "openldap",
        "url": sandbox.url,
        "bind": {"dn": account["username"], "password": account["password"]},
        "people": PEOPLE,
        "groups": GROUPS,
        "changes_log": ACCESS_LOG,
        "timeout": "2s",
    }
    settings = LDAPSettings.model_validate({**raw, **changes})
    return build("directory", settings, installation_key=KEY, clock=CLOCK)


def planned(adapters: LDAPAdapters, action: str, uid: str, **parameters: str) -> BoundAction:
    person = adapters.people.by_name(uid)
    return adapters.fulfiller.bind(action, subject=person, parameters=parameters)


def connect(sandbox: DirectorySandbox, role: str) -> ldap3.Connection:
    account = sandbox.accounts[role]
    server = ldap3.Server("127.0.0.1", port=sandbox.port, get_info=ldap3.NONE)
    return ldap3.Connection(server, account["username"], account["password"], auto_bind=True)


class TestABrokenConversation:
    """Lost answers are unknown outcomes; lost questions are asked again."""

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
    def test_a_write_without_an_answer_is_unknown_and_verified(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters, fault: str
    ) -> None:
        fulfiller = adapters.fulfiller
        bound = planned(adapters, "add_group_member", "dan.wolter", group="git-users")
        baseline = fulfiller.baseline(bound)
        sandbox.faults.add({"kind": fault, "method": "Modify", "next_n": 1})
        deadline = CLOCK.now() + timedelta(minutes=1)
        with pytest.raises(OutcomeUnknownError):
            fulfiller.implement(bound, key="k", baseline=baseline, deadline=deadline)
        is_done = fulfiller.verify(bound, key="k", baseline=baseline).is_as_planned
        assert is_done is (fault == "drop_after")
        fulfiller.implement(bound, key="k", baseline=baseline, deadline=deadline)
        assert fulfiller.verify(bound, key="k", baseline=baseline).is_as_planned
        assert len(sandbox.log.entries(method="modify")) == 1

    def test_a_reset_between_its_two_writes_is_unknown_and_repeated(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        fulfiller = adapters.fulfiller
        bound = planned(adapters, "reset_password", "bob.miller")
        baseline = fulfiller.baseline(bound)
        sandbox.faults.add({"kind": "drop_before", "method": "Modify", "next_n": 1})
        deadline = CLOCK.now() + timedelta(minutes=1)
        with pytest.raises(OutcomeUnknownError) as caught:
            fulfiller.implement(bound, key="k", baseline=baseline, deadline=deadline)
        secret = fulfiller.secret(bound, key="k")
        assert secret is not None
        assert secret.value not in str(caught.value)
        assert not fulfiller.verify(bound, key="k", baseline=baseline).is_as_planned

    def test_a_read_is_asked_again_once_when_the_connection_had_gone(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        adapters.people.by_name("bob.miller")
        sandbox.faults.add({"kind": "drop_before", "method": "Search", "next_n": 1})
        assert adapters.people.by_name("bob.miller").key == "1002"
        sandbox.faults.add({"kind": "drop_before", "method": "Search", "next_n": 2})
        with pytest.raises(TransientError):
            adapters.people.by_name("bob.miller")
        assert adapters.people.by_name("bob.miller").key == "1002"

    def test_a_server_that_is_silent_is_not_waited_for(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        adapters.people.by_name("bob.miller")
        sandbox.faults.add({"kind": "latency", "method": "Search", "seconds": 60})
        with pytest.raises(TransientError):
            adapters.people.by_name("bob.miller")

    def test_a_server_that_is_busy_is_a_matter_of_time(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        sandbox.faults.add({"kind": "5xx", "method": "Search", "next_n": 1})
        with pytest.raises(TransientError):
            adapters.people.by_name("bob.miller")

    def test_bytes_that_are_no_ldap_are_an_answer_that_cannot_be(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            settings = LDAPSettings.model_validate(
                {
                    "flavour": "openldap",
                    "url": f"ldap://127.0.0.1:{port}",
                    "bind": {"dn": "cn=x", "password": "y"},
                    "timeout": "1s",
                }
            )
            adapters = build("directory", settings, installation_key=KEY, clock=CLOCK)
            assert adapters.fulfiller.check()[0].severity is Severity.FAULT


class TestTheSandbox:
    """Rules of the server, as another client meets them."""

    def test_three_failed_binds_lock_and_an_administrator_unlocks(
        self, sandbox: DirectorySandbox
    ) -> None:
        dn, server = person_dn("abel.tuter"), ldap3.Server("127.0.0.1", port=sandbox.port)
        for password in ("wrong-1", "wrong-2", "wrong-3", "abel.tuter-pw"):
            connection = ldap3.Connection(server, dn, password)
            assert not connection.bind()
            connection.unbind()
        request = urllib.request.Request(f"{sandbox.admin_url}/log?method=bind")  # noqa: S310  our own address
        with urllib.request.urlopen(request) as answer:  # noqa: S310  as above
            assert "wrong" not in json.dumps(json.load(answer))

    def test_a_temporary_password_only_lets_one_change_it(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        bound = planned(adapters, "reset_password", "bob.miller")
        adapters.fulfiller.implement(
            bound,
            key="k",
            baseline=adapters.fulfiller.baseline(bound),
            deadline=CLOCK.now() + timedelta(minutes=1),
        )
        secret = adapters.fulfiller.secret(bound, key="k")
        assert secret is not None
        server = ldap3.Server("127.0.0.1", port=sandbox.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, person_dn("bob.miller"), secret.value, auto_bind=True)
        connection.search(PEOPLE, "(uid=bob.miller)")
        assert connection.result["result"] == 50
        assert not connection.extend.standard.modify_password(new_password="short")
        assert connection.extend.standard.modify_password(
            old_password=secret.value, new_password="my-own-password"
        )
        assert connection.search(PEOPLE, "(uid=bob.miller)", attributes=["pwdReset"])
        connection.unbind()

    def test_the_fulfilment_account_may_do_its_work_and_no_more(
        self, sandbox: DirectorySandbox
    ) -> None:
        connection = connect(sandbox, "integration")
        bob, backup = person_dn("bob.miller"), person_dn("svc-backup")
        forbidden = [
            (bob, "privateMail", "thief@private.test"),
            (bob, "employeeNumber", "1"),
            (backup, "userPassword", "a-new-password"),
            (group_dn("git-users"), "description", "x"),
            (PEOPLE, "description", "x"),
        ]
        for dn, attribute, value in forbidden:
            connection.modify(dn, {attribute: [(ldap3.MODIFY_REPLACE, [value])]})  # type: ignore[no-untyped-call]  # types-ldap3 leaves it out
            assert connection.result["result"] == 50, (dn, attribute)
        connection.search(ACCESS_LOG, "(objectClass=*)", attributes=["*"])
        assert connection.response
        assert not any("reqMod" in one["attributes"] for one in connection.response)
        connection.search(PEOPLE, "(objectClass=person)", attributes=["userPassword"])
        connection.unbind()

    def test_somebody_sees_no_private_address_but_their_own(
        self, sandbox: DirectorySandbox
    ) -> None:
        connection = connect(sandbox, "requester")
        connection.search(PEOPLE, "(privateMail=*)", attributes=["privateMail", "userPassword"])
        shown = [one["dn"] for one in connection.response or [] if one["attributes"]]
        assert shown == [person_dn("abel.tuter")]
        connection.unbind()

    @pytest.mark.parametrize(
        ("text", "uids"),
        [
            ("(uid=bob*)", {"bob.miller"}),
            ("(uid=*.tuter)", {"abel.tuter", "ada.tuter"}),
            ("(uid=*b*mill*r)", {"bob.miller"}),
            ("(&(departmentNumber=finance)(!(privateMail=*)))", {"erika.brandt"}),
            ("(|(uid=bob.miller)(employeeNumber=1003))", {"bob.miller", "carla.humble"}),
            ("(&(employeeNumber>=3002)(employeeNumber<=3003))", {"beth.anglin", "bow.ruggeri"}),
            (f"(memberOf={group_dn('ci-users')})", {"farid.nazari"}),
            ("(noSuchAttribute=1)", set[str]()),
            ("(!(noSuchAttribute=1))", set[str]()),
            ("(uid=bob)", set[str]()),
        ],
    )
    def test_filters_mean_what_the_standard_says(
        self, sandbox: DirectorySandbox, text: str, uids: set[str]
    ) -> None:
        connection = connect(sandbox, "admin")
        connection.search(PEOPLE, text, attributes=["uid"])
        rows = connection.response or []
        assert {row["attributes"]["uid"][0] for row in rows} == uids
        connection.unbind()

    def test_compare_and_who_am_i_are_answered(self, sandbox: DirectorySandbox) -> None:
        connection = connect(sandbox, "requester")
        bob, compare = person_dn("bob.miller"), cast("Any", connection.compare)
        compare(bob, "departmentNumber", "engineering")
        assert connection.result["description"] == "compareTrue"
        compare(bob, "departmentNumber", "Finance")
        assert connection.result["description"] == "compareFalse"
        compare(bob, "userPassword", "bob.miller-pw")
        assert connection.result["result"] == 50
        assert connection.extend.standard.who_am_i() == f"dn:{person_dn('abel.tuter')}"
        connection.unbind()

    @pytest.mark.parametrize(
        ("dn", "change", "code"),
        [
            (person_dn("bob.miller"), {"noSuch": ["x"]}, 17),
            (person_dn("bob.miller"), {"entryUUID": ["x"]}, 19),
            (person_dn("bob.miller"), {"displayName": ["a", "b"]}, 19),
            (person_dn("bob.miller"), {"userPassword": ["short"]}, 19),
            (person_dn("nobody"), {"title": ["x"]}, 32),
            (group_dn("git-users"), {"member": list[str]()}, 65),
        ],
    )
    def test_a_modify_that_breaks_a_rule_is_refused_by_its_code(
        self, sandbox: DirectorySandbox, dn: str, change: dict[str, list[str]], code: int
    ) -> None:
        connection = connect(sandbox, "admin")
        wanted = {name: [(ldap3.MODIFY_REPLACE, values)] for name, values in change.items()}
        connection.modify(dn, wanted)  # type: ignore[no-untyped-call]  # types-ldap3 leaves it out
        assert connection.result["result"] == code
        connection.unbind()

    def test_nobody_sees_anything(self, sandbox: DirectorySandbox) -> None:
        server = ldap3.Server("127.0.0.1", port=sandbox.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, auto_bind=True)
        assert not connection.search(PEOPLE, "(objectClass=*)")
        connection.unbind()

    def test_the_directory_outlives_the_server(self, tmp_path: Path) -> None:
        with DirectorySandbox(tmp_path) as first:
            connection = connect(first, "admin")
            connection.modify(  # type: ignore[no-untyped-call]  # types-ldap3 leaves it out
                person_dn("bob.miller"), {"title": [(ldap3.MODIFY_REPLACE, ["Boss"])]}
            )
            connection.unbind()
        with DirectorySandbox(tmp_path) as second:
            connection = connect(second, "admin")
            assert connection.search(PEOPLE, "(title=boss)")
            connection.unbind()
        assert "-pw" not in (tmp_path / "directory.json").read_text("utf-8")

    def test_an_empty_seed_holds_nobody(self) -> None:
        with DirectorySandbox(seed="empty") as sandbox:
            connection = connect(sandbox, "admin")
            assert not connection.search(PEOPLE, "(objectClass=inetOrgPerson)")
            connection.unbind()

    def test_the_clock_and_locks_are_set_through_the_admin_api(
        self, sandbox: DirectorySandbox, adapters: LDAPAdapters
    ) -> None:
        for path, body in (("clock", {"offset_seconds": 90}), ("seed", {"lock": ["hugo.lindt"]})):
            request = urllib.request.Request(  # noqa: S310  our own address
                f"{sandbox.admin_url}/{path}", json.dumps(body).encode(), method="POST"
            )
            urllib.request.urlopen(request).close()  # noqa: S310  as above
        assert "clock_off" in {finding.code for finding in adapters.fulfiller.check()}
        assert adapters.people.by_name("hugo.lindt").facts["locked"] is True

    def test_tls_is_spoken_and_a_stranger_s_authority_is_refused(self, tmp_path: Path) -> None:
        files = ensure_tls(tmp_path / "ours", CLOCK.now())
        # All sandboxes of one process share an authority; the public ones are strangers to it.
        strange = Path(certifi.where())
        with DirectorySandbox(tls=files) as sandbox:
            good = adapters_on(sandbox, ca_file=str(files.ca))
            assert good.people.by_name("bob.miller").key == "1002"
            codes = {finding.code for finding in good.fulfiller.check()}
            assert "not_encrypted" not in codes
            good.close()
            for ca_file, why in ((strange, "certificate"), (tmp_path / "none", "ca_file")):
                bad = adapters_on(sandbox, ca_file=str(ca_file))
                with pytest.raises(PermanentError, match=why):
                    bad.people.by_name("bob.miller")
                bad.close()
