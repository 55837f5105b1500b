"""Who may see and write what in the sandbox directory, as a slapd.conf would say it."""

from connectors.ldap.sandbox.schema import dn_key
from connectors.ldap.sandbox.seed import ACCESS_LOG, FULFILMENT, GROUPS, MONITOR, PEOPLE, ROOT
from connectors.ldap.sandbox.tree import Entry

_HIDDEN = frozenset({"userpassword"})
_PRIVATE = frozenset({"privatemail", "pwdfailuretime"})
_FULFILMENT_WRITES = frozenset({"userpassword", "pwdreset", "pwdaccountlockedtime"})
_LOG_SHOWS = frozenset({"objectclass", "reqstart", "reqdn", "reqtype", "reqauthzid", "reqresult"})


def _is_at(dn: str, base: str) -> bool:
    key, outer = dn_key(dn), dn_key(base)
    return key == outer or key.endswith("," + outer)


def is_root(who: str) -> bool:
    """Whether this is the server's administrator, for whom no rule holds."""
    return dn_key(who) == dn_key(ROOT)


def _is_fulfilment(who: str) -> bool:
    return dn_key(who) == dn_key(FULFILMENT)


def may_search(who: str, entry: Entry) -> bool:
    """Whether an account may use an entry in a filter and see that it exists."""
    if is_root(who):
        return True
    if not who:
        return False
    if _is_at(entry.dn, ACCESS_LOG) or _is_at(entry.dn, MONITOR):
        return _is_fulfilment(who)
    return True


def may_ask(who: str, entry: Entry, name: str) -> bool:
    """Whether an account may use an attribute in a filter; reading it may be another matter."""
    return may_read(who, entry, name) or (
        name == "reqmod" and _is_fulfilment(who) and _is_at(entry.dn, ACCESS_LOG)
    )


def may_read(who: str, entry: Entry, name: str) -> bool:
    """Whether an account may read an attribute's values."""
    if is_root(who):
        return True
    if name in _HIDDEN or not may_search(who, entry):
        return False
    if _is_at(entry.dn, ACCESS_LOG):
        return name in _LOG_SHOWS
    if name in _PRIVATE:
        return _is_fulfilment(who) or dn_key(who) == dn_key(entry.dn)
    return True


def may_write(who: str, entry: Entry, name: str) -> bool:
    """Whether an account may write an attribute.

    The fulfilment account writes what a reset and an unlock need of people who are no services, and
    the members of groups; everybody their own password; nobody else anything.
    """
    if is_root(who):
        return True
    if name == "userpassword" and who and dn_key(who) == dn_key(entry.dn):
        return True
    if not _is_fulfilment(who):
        return False
    if _is_at(entry.dn, GROUPS):
        return name == "member"
    is_service = entry.holds("employeeType", b"service")
    return _is_at(entry.dn, PEOPLE) and not is_service and name in _FULFILMENT_WRITES
