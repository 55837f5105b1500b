"""Who sends a request: Basic credentials, bearer tokens, or nobody."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.jira.sandbox.people import Caller
from connectors.jira.sandbox.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The outcome of reading the credentials of a request."""

    caller: Caller
    failed: bool
    """Credentials were given and were not good."""


def credentials(header: str) -> tuple[str, str] | None:
    """Return name and password of a Basic header, or None where it is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


def login(site: Site, headers: Mapping[str, str]) -> Login:
    """Return who sends a request with these headers."""
    header = headers.get("authorization", "")
    if not header:
        return _session(site, headers.get("cookie", ""))
    if header.lower().startswith("bearer "):
        caller = site.people.bearer(header[7:].strip(), site.now())
        return Login(caller=caller, failed=caller is None)
    given = credentials(header)
    caller = site.people.login(*given) if given is not None else None
    return Login(caller=caller, failed=caller is None)


def note_failure(site: Site, name: str) -> None:
    """Count a login that failed; the session resource tells of it."""
    known = site.people.by_name(name)
    if known is not None:
        count, _ = site.failures.get(known.name, (0, 0))
        site.failures[known.name] = (count + 1, site.now())


def session_key(header: str) -> str:
    """Return the session that a Cookie header names, or ""."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "JSESSIONID":
            return value
    return ""


def _session(site: Site, header: str) -> Login:
    """Return who a session cookie stands for; an old one counts as none (Data Center)."""
    value = session_key(header)
    caller = site.people.bearer(value, site.now()) if value and not site.cloud else None
    return Login(caller=caller, failed=False)


def name_of(site: Site, header: str) -> str:
    """Return the login name behind an Authorization header, or "" (for the request log)."""
    found = login(site, {"authorization": header}).caller
    if found is not None:
        return found.name
    given = credentials(header)
    return given[0] if given else ""
