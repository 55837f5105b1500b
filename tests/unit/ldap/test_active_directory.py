"""What a domain controller tells beyond what Samba plays: ranges, metadata, its refusals."""

import struct
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from connectors.ldap.active_directory import ActiveDirectoryDialect
from connectors.ldap.answers import Reply
from connectors.ldap.directory import Directory
from connectors.ldap.entry import Entry
from connectors.ldap.settings import LDAPSettings
from connectors.ldap.transport import Transport
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    PreconditionError,
    ProtectedSubjectError,
)
from engine.ports.fulfilment import Secret

SETTINGS = LDAPSettings.model_validate(
    {
        "flavour": "active-directory",
        "url": "ldaps://dc1.corp.example.test",
        "bind": {"dn": "cn=x,dc=y", "password": "z"},
        "base": "dc=y",
    }
)
SINCE = datetime(2026, 11, 13, tzinfo=UTC)
DN = "cn=bob,dc=y"
REFUSED = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {}, v1db1"


class PlayedTransport(Transport):
    """Answers reads of one entry from a list of attributes, as a domain controller would."""

    def __init__(self, shown: Mapping[str, Sequence[bytes]], reply: Reply | None = None) -> None:
        super().__init__("directory", SETTINGS)
        self.shown, self.reply = shown, reply
        self.asked: list[str] = []

    def search(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        *,
        scope: str = "SUBTREE",  # noqa: ARG002  the signature of what it stands in for
        most: int | None = None,  # noqa: ARG002  as above
    ) -> tuple[Entry, ...]:
        self.asked.append(filter_text)
        wanted = {name.lower() for name in attributes}
        values = {
            name.lower(): tuple(vals)
            for name, vals in self.shown.items()
            if name.lower() in wanted or any(name.lower().startswith(one[:13]) for one in wanted)
        }
        return (Entry(dn=base or DN, values=values),)

    def try_password(self, name: str, password: str) -> Reply:
        assert name == DN
        assert password
        assert self.reply is not None
        return self.reply


def dialect(
    shown: Mapping[str, Sequence[bytes]], reply: Reply | None = None
) -> ActiveDirectoryDialect:
    return ActiveDirectoryDialect(SETTINGS, Directory(SETTINGS, PlayedTransport(shown, reply)))


def entry(**values: bytes) -> Entry:
    return Entry(dn=DN, values={name.lower(): (value,) for name, value in values.items()})


def sid(*parts: int) -> bytes:
    return bytes([1, len(parts)]) + (5).to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


def test_a_guid_is_shown_and_searched_in_its_two_byte_orders() -> None:
    guid = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    assert dialect({}).stable_id(entry(objectGUID=guid.bytes_le)) == str(guid)
    assert dialect({}).by_id(str(guid)).startswith("(objectGUID=3\\22\\11\\00UDwf")
    with pytest.raises(PreconditionError):
        dialect({}).by_id("*")
    with pytest.raises(InvalidAnswerError):
        dialect({}).stable_id(entry())


def test_members_are_read_in_ranges_to_the_end() -> None:
    class Ranged(PlayedTransport):
        def search(
            self,
            base: str,
            filter_text: str,  # noqa: ARG002  the signature of what it stands in for
            attributes: Sequence[str],
            *,
            scope: str = "SUBTREE",  # noqa: ARG002  as above
            most: int | None = None,  # noqa: ARG002  as above
        ) -> tuple[Entry, ...]:
            start = int(attributes[0].partition("=")[2].partition("-")[0])
            last = min(start + 1499, 3999)
            members = tuple(f"cn={one},dc=y".encode() for one in range(start, last + 1))
            end = "*" if last == 3999 else str(last)
            return (Entry(dn=base, values={f"member;range={start}-{end}": members}),)

    made = ActiveDirectoryDialect(SETTINGS, Directory(SETTINGS, Ranged({})))
    assert made.members("cn=g,dc=y") == tuple(f"cn={one},dc=y" for one in range(4000))


def xml(name: str, moment: str) -> bytes:
    return (
        f"<DS_REPL_ATTR_META_DATA>\n\t<pszAttributeName>{name}</pszAttributeName>\n"
        f"\t<dwVersion>1</dwVersion>\n"
        f"\t<ftimeLastOriginatingChange>{moment}</ftimeLastOriginatingChange>\n"
        f"\t<pszLastOriginatingDsaDN>CN=x</pszLastOriginatingDsaDN>\n</DS_REPL_ATTR_META_DATA>\0"
    ).encode()


def test_the_attribute_s_own_change_counts_and_no_other() -> None:
    shown = {
        "msDS-ReplAttributeMetaData": [
            xml("unicodePwd", "2026-11-20T10:00:00Z"),
            xml("otherMailbox", "2026-01-05T10:00:00Z"),
        ],
        "msDS-ReplValueMetaData": [xml("manager", "2026-11-19T10:00:00Z")],
    }
    told = dialect(shown)
    person = entry(whenChanged=b"20261120100000.0Z")
    assert told.changed_at(person, "otherMailbox", SINCE) == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert told.changed_at(person, "manager", SINCE) == datetime(2026, 11, 19, 10, tzinfo=UTC)


def raw(*records: tuple[int, datetime]) -> bytes:
    head = struct.pack("<IIII", 1, 0, len(records), 0)
    epoch = datetime(1601, 1, 1, tzinfo=UTC)
    return head + b"".join(
        struct.pack("<IIQ", number, 1, int((moment - epoch).total_seconds())) + bytes(32)
        for number, moment in records
    )


def test_raw_metadata_counts_everything_but_passwords_and_knows_no_links() -> None:
    old = datetime(2026, 1, 1, tzinfo=UTC)
    new = old + timedelta(days=300)
    told = dialect({"replPropertyMetaData": [raw((0x9005A, new), (0x90060, new), (3, old))]})
    assert told.changed_at(entry(), "otherMailbox", SINCE) == old
    with pytest.raises(PreconditionError, match="does not tell"):
        told.changed_at(entry(), "manager", SINCE)
    told = dialect({"replPropertyMetaData": [raw((0x9005A, old), (0x150003, new))]})
    assert told.changed_at(entry(), "otherMailbox", SINCE) == new


def test_metadata_that_is_missing_or_of_another_version_is_no_all_clear() -> None:
    with pytest.raises(PreconditionError, match="does not tell"):
        dialect({}).changed_at(entry(), "otherMailbox", SINCE)
    for broken in (b"\x02" + raw()[1:], raw((3, SINCE))[:-1], b""):
        with pytest.raises((InvalidAnswerError, PreconditionError)):
            dialect({"replPropertyMetaData": [broken]}).changed_at(entry(), "x", SINCE)


@pytest.mark.parametrize(
    ("code", "diagnostic", "is_as_planned"),
    [
        (
            49,
            REFUSED.format("773"),
            True,
        ),
        (
            49,
            REFUSED.format("52e"),
            False,
        ),
        (
            49,
            REFUSED.format("775"),
            False,
        ),
        (49, "", False),
        (0, "", False),
        (0, "data 773", False),
        (49, "data 7734", False),
    ],
)
def test_only_must_change_proves_the_password(
    code: int, diagnostic: str, *, is_as_planned: bool
) -> None:
    told = dialect({}, Reply(code=code, name="", diagnostic=diagnostic))
    judged = told.judge_password(entry(pwdLastSet=b"0"), Secret(value="a-secret"), "1")
    assert judged.is_as_planned is is_as_planned
    assert bool(judged.because) is not is_as_planned
    assert "a-secret" not in repr(judged)


def test_a_password_that_need_not_be_changed_is_not_tried() -> None:
    judged = dialect({}).judge_password(entry(pwdLastSet=b"134"), Secret(value="x"), "1")
    assert not judged.is_as_planned


@pytest.mark.parametrize("last", [512, 519, 520, 527])
def test_a_token_of_an_administrator_is_a_privilege(last: int) -> None:
    own = sid(21, 1, 2, 3, 1105)
    told = dialect({"tokenGroups": [sid(21, 1, 2, 3, last)]})
    assert told.privilege(entry(objectSid=own))
    assert dialect({"tokenGroups": [sid(32, 548)]}).privilege(entry(objectSid=own))
    assert not dialect({"tokenGroups": [sid(21, 1, 2, 3, 513)]}).privilege(entry(objectSid=own))
    assert dialect({"tokenGroups": [sid(32, 545)]}).privilege(
        entry(objectSid=sid(21, 1, 2, 3, 500))
    )


def test_groups_that_cannot_be_read_protect() -> None:
    with pytest.raises(ProtectedSubjectError):
        dialect({}).privilege(entry(objectSid=sid(21, 1, 2, 3, 1105)))


@pytest.mark.parametrize(
    "values",
    [
        {"objectClass": b"computer"},
        {"objectClass": b"msDS-GroupManagedServiceAccount"},
        {"userAccountControl": b"4096"},
        {"servicePrincipalName": b"HTTP/web", "userAccountControl": b"512"},
    ],
)
def test_accounts_of_machines_and_services_are_known_by_themselves(
    values: dict[str, bytes],
) -> None:
    assert dialect({}).service_because(entry(**values))
    assert not dialect({}).service_because(entry(objectClass=b"user", userAccountControl=b"512"))


def test_hidden_flags_are_no_open_account() -> None:
    hidden = entry(objectClass=b"user")
    for read in (
        dialect({}).login_state, dialect({}).service_because, dialect({}).refuses_reset
    ):  # fmt: skip
        with pytest.raises(MissingRightError, match="userAccountControl"):
            read(hidden)
