"""One Jira site, and one request to it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams

from connectors.jira.sandbox.definition import Definition
from connectors.jira.sandbox.people import Account, Caller, Flavour, People
from connectors.jira.sandbox.storage import Store
from connectors.jira.sandbox.wire import ApiError, Json, Row, bad_request, unauthenticated
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard, FaultKind, FaultRule

V3 = 3


@dataclass(slots=True, kw_only=True)
class Site:
    """What every request works on."""

    store: Store
    definition: Definition
    flavour: Flavour
    people: People
    clock: SandboxClock
    faults: FaultBoard
    url: str = ""
    lag: int = 0
    """Milliseconds until a write reaches the search index; 0 means at once."""
    equal_stamp: int = 0
    failures: dict[str, tuple[int, int]] = field(default_factory=dict)
    """How often a login name failed to log in since the start, and when last."""
    caps: dict[str, int] = field(default_factory=dict)
    """Limits per issue that a seed has lowered, by table."""

    @property
    def cloud(self) -> bool:
        """Say whether this is a Cloud site."""
        return self.flavour is Flavour.CLOUD

    def now(self) -> int:
        """Return the present as epoch milliseconds."""
        return int(self.clock.now().timestamp() * 1000)


@dataclass(slots=True, kw_only=True)
class Call:
    """One request with everything that its answer depends on."""

    site: Site
    method: str
    target: str
    caller: Caller
    version: int = 2
    path: Mapping[str, str] = field(default_factory=dict)
    query: QueryParams = field(default_factory=QueryParams)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    body: Json = None
    broken: bool = False
    """The body was sent as JSON and is none."""
    answer: dict[str, str] = field(default_factory=dict)
    """Headers of the answer."""
    events: list[tuple[str, Row]] = field(default_factory=list)
    """What happened, for the webhooks."""
    memo: dict[tuple[str, object], Json] = field(default_factory=dict)
    """Beans that this request has rendered already (users, statuses and the like)."""

    @property
    def store(self) -> Store:
        """Return the site's store."""
        return self.site.store

    @property
    def definition(self) -> Definition:
        """Return the site's definition."""
        return self.site.definition

    @property
    def people(self) -> People:
        """Return the site's people."""
        return self.site.people

    @property
    def cloud(self) -> bool:
        """Say whether this is a Cloud site."""
        return self.site.cloud

    @property
    def document(self) -> bool:
        """Say whether rich text goes over the wire as Atlassian Document Format."""
        return self.site.cloud and self.version == V3

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which the caller sees times."""
        return ZoneInfo("Etc/UTC") if self.caller is None else self.caller.zone

    @property
    def api(self) -> str:
        """Return the address of the platform API in the caller's version."""
        return f"{self.site.url}/rest/api/{self.version}"

    @property
    def user(self) -> Account:
        """Return the caller.

        Raises:
            ApiError: 401, nobody is logged in.
        """
        if self.caller is None:
            raise unauthenticated()
        return self.caller

    def may(self, permission: str, project: int) -> bool:
        """Say whether the caller holds a permission in a project."""
        return self.people.may(self.caller, permission, project)

    def words(self, name: str) -> list[str]:
        """Return a parameter that may be repeated, and may hold a list with commas."""
        found: list[str] = []
        for value in self.query.getlist(name):
            found += [part.strip() for part in value.split(",") if part.strip()]
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean parameter."""
        value = self.query.get(name)
        return default if value is None else value.strip().lower() == "true"

    def json(self) -> Row:
        """Return the body, which must be a JSON object.

        Raises:
            ApiError: 400, it is none.
        """
        if self.broken or not isinstance(self.body, dict):
            raise bad_request(
                "Invalid request payload. Refer to the REST API documentation and try again."
                if self.cloud
                else "Can not deserialize instance of object out of the given token"
            )
        found: Row = self.body
        return found

    def strike(self, kind: FaultKind) -> FaultRule | None:
        """Return the fault of a kind that is set for this request."""
        if not self.site.faults.any():
            return None
        user = "" if self.caller is None else self.caller.name
        return self.site.faults.strike(kind, method=self.method, target=self.target, user=user)

    def stamp(self) -> int:
        """Return the time that a write carries."""
        if self.strike(FaultKind.EQUAL_TIMESTAMPS):
            self.site.equal_stamp = self.site.equal_stamp or self.site.now()
            return self.site.equal_stamp
        return self.site.now()

    def as_account(self, account: Account) -> "Call":
        """Return a call like this one that another account makes (automation, seeds)."""
        return Call(
            site=self.site,
            method=self.method,
            target=self.target,
            caller=account,
            version=self.version,
            headers=self.headers,
            events=self.events,
        )


def desk_call(site: Site, account: Account) -> Call:
    """Return a call of the sandbox's own pages and seeds in the name of an account."""
    return Call(site=site, method="POST", target="", caller=account)


Endpoint = Callable[[Call], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One operation that the site serves."""

    method: str
    pattern: str
    endpoint: Endpoint
    anonymous: bool
    flavours: tuple[Flavour, ...]


_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(slots=True)
class Routes:
    """The operations of one module; `pattern` begins below `prefix`."""

    prefix: str = "/rest/api/{version}"
    served: list[Served] = field(default_factory=list)

    def on(
        self,
        method: str,
        *patterns: str,
        anonymous: bool = False,
        flavours: tuple[Flavour, ...] = (Flavour.CLOUD, Flavour.DATA_CENTER),
    ) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint for one or more patterns."""

        def register(endpoint: Endpoint) -> Endpoint:
            for pattern in patterns:
                self.served.append(
                    Served(
                        method=method,
                        pattern=self.prefix + pattern,
                        endpoint=endpoint,
                        anonymous=anonymous,
                        flavours=flavours,
                    )
                )
            return endpoint

        return register


CLOUD_ONLY = (Flavour.CLOUD,)
DATA_CENTER_ONLY = (Flavour.DATA_CENTER,)


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a route pattern."""
    parts: list[str] = []
    at = 0
    for match in _PARAMETER.finditer(pattern):
        parts.append(re.escape(pattern[at : match.start()]))
        parts.append(f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})")
        at = match.end()
    parts.append(re.escape(pattern[at:]))
    return re.compile("".join(parts))


__all__ = ["ApiError", "Call", "Routes", "Served", "Site", "compiled", "desk_call"]
