"""Sweeping what changed, losing nothing: overlap, tokens, and pages that move under the reader.

A sweep begins `overlap` before the newest record of the one before, since the index shows records
late, and ends where the site says so. Nothing is bound to a wall clock of ours: the literal in the
query is in epoch milliseconds, the one form that no profile's time zone bends.

Cloud gives pages by token. Data Center gives pages by offset, which shift when a record before the
reader changes; so every page overlaps the one before and must show its last record again, otherwise
the sweep starts over.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors.jira.client import JiraClient
from connectors.jira.records import Found, found
from connectors.jira.transport import RefusedError
from connectors.jira.values import Payload, epoch_ms, listing, text_of
from engine.errors import InvalidAnswerError
from engine.ports.paging import Cursor

_SHOWN_AGAIN = 20
_TOKENS_KEPT = 40
_KNOWN_MOST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a sweep stands: the connector's part of the cursor.

    `born` is the least time of creation, which outlives the sweeps: what was there before the
    first start is not ours, also when somebody touches it later. `newest` is the newest update
    seen in this sweep. Both in epoch milliseconds. `known` are the records shown lately, each as
    id and time of update, so that the overlap does not show every record again and again.
    """

    born: int = 0
    token: str = ""
    seen: tuple[str, ...] = ()
    start: int = 0
    last: str = ""
    newest: int = 0
    known: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it for the cursor."""
        held = {
            "born": self.born, "token": self.token, "seen": list(self.seen),
            "start": self.start, "last": self.last, "newest": self.newest,
            "known": list(self.known),
        }  # fmt: skip
        return json.dumps(held, separators=(",", ":"))


def _place(text: str) -> _Place:
    if not text:
        return _Place()
    held = json.loads(text)
    return _Place(
        born=held["born"],
        token=held["token"],
        seen=tuple(held["seen"]),
        start=held["start"],
        last=held["last"],
        newest=held["newest"],
        known=tuple(held["known"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One page of a sweep; `broken` are records that are no issues, as (id, why)."""

    issues: tuple[Found, ...]
    cursor: Cursor
    is_last: bool
    server_now: datetime
    broken: tuple[tuple[str, str], ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is swept: a filter, the fields to show, and how."""

    jql: str
    fields: Sequence[str]
    expand: str = ""
    properties: str = ""


def starting_at(instant: datetime) -> Cursor:
    """Return the cursor of a source to which nothing created before `instant` belongs."""
    return Cursor(at=instant, opaque=_Place(born=epoch_ms(instant)).text())


class Poller:
    """Sweeps of one site."""

    def __init__(self, client: JiraClient, *, overlap: timedelta, page_size: int) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._overlap = overlap
        self._size = page_size

    def next_page(self, sweep: Sweep, cursor: Cursor) -> Swept:
        """Return the next page, and the cursor behind it.

        A sweep begins with asking who we are, so that an expired token is an error and never a
        site without tickets.

        Raises:
            InvalidAnswerError: A page without an end, a token that comes again, or fewer records
                than announced.
            AuthenticationError: We are nobody to this site.
        """
        if cursor.horizon is None:
            self._client.verify_session()
            cursor = replace(cursor, horizon=self._client.server_now())
        place = _place(cursor.opaque)
        since = epoch_ms(cursor.at - self._overlap)
        born = f" AND created >= {place.born}" if place.born else ""
        span = f"updated >= {since}{born}"
        query = f"({sweep.jql}) AND {span} ORDER BY updated ASC, key ASC"
        page_of = self._by_token if self._client.is_cloud else self._by_offset
        beans, following, is_last = page_of(query, sweep, place)
        issues, broken = _issues(beans)
        now = self._client.server_now()
        if following is None:
            # The page shifted under us. Everything up to the newest record seen was shown, or has
            # moved behind it, so the sweep begins again from there.
            anchor = max(cursor.at, datetime.fromtimestamp(place.newest / 1000, tz=UTC))
            again = _Place(born=place.born, newest=place.newest, known=place.known)
            restarted = replace(cursor, at=anchor, opaque=again.text())
            return Swept(issues=(), cursor=restarted, is_last=False, server_now=now)
        newest = max([place.newest, *(epoch_ms(one.updated_at) for one in issues)])
        fresh = tuple(one for one in issues if _known(one) not in place.known)
        known = (*place.known, *map(_known, fresh))
        if not is_last:
            onward = replace(following, newest=newest, known=known[-_KNOWN_MOST:])
            ahead = replace(cursor, opaque=onward.text())
            return Swept(issues=fresh, cursor=ahead, is_last=False, server_now=now, broken=broken)
        done = self._done(cursor, _Place(born=place.born, newest=newest, known=known))
        return Swept(issues=fresh, cursor=done, is_last=True, server_now=now, broken=broken)

    def _done(self, cursor: Cursor, place: _Place) -> Cursor:
        """Return the cursor between this sweep and the next.

        It moves on with the records seen, and on a quiet site with the clock; never so far that a
        record which the index shows late, by no more than the overlap, would be behind it.
        """
        reached = datetime.fromtimestamp(place.newest / 1000, tz=UTC)
        begun = cursor.at if cursor.horizon is None else cursor.horizon
        at = max(cursor.at, reached, begun - self._overlap)
        since = epoch_ms(at - self._overlap)
        known = [one for one in place.known if int(one.partition("@")[2]) >= since]
        between = _Place(born=place.born, known=tuple(known[-_KNOWN_MOST:]))
        return Cursor(at=at, opaque=between.text())

    # --- Cloud

    def _by_token(
        self, query: str, sweep: Sweep, place: _Place
    ) -> tuple[list[Payload], _Place | None, bool]:
        params: dict[str, object] = {**_asked(sweep), "jql": query, "maxResults": self._size}
        if place.token:
            params["nextPageToken"] = place.token
        try:
            page = self._client.search(params)
        except RefusedError:
            if not place.token:
                raise
            # A token lives seven days; a daemon that slept longer begins the sweep again.
            return [], None, False
        beans = listing(page.get("issues"), "search.issues")
        token = text_of(page.get("nextPageToken"))
        is_last = page.get("isLast", not token)
        if is_last is True:
            return beans, place, True
        if not token:
            raise InvalidAnswerError(f"{self._client.name} search: cut off without a token")
        if token == place.token or token in place.seen:
            raise InvalidAnswerError(f"{self._client.name} search: the same token came again")
        seen = (*place.seen, place.token)[-_TOKENS_KEPT:] if place.token else place.seen
        return beans, replace(place, token=token, seen=seen), False

    # --- Data Center

    def _by_offset(
        self, query: str, sweep: Sweep, place: _Place
    ) -> tuple[list[Payload], _Place | None, bool]:
        again = min(_SHOWN_AGAIN, place.start)
        params = {
            **_asked(sweep),
            "jql": query,
            "startAt": place.start - again,
            "maxResults": self._size + again,
        }
        page = self._client.search(params)
        beans = listing(page.get("issues"), "search.issues")
        total = page.get("total")
        if not isinstance(total, int):
            raise InvalidAnswerError(f"{self._client.name} search: no total")
        reached = place.start - again + len(beans)
        tokens = [_token(bean) for bean in beans]
        if place.last and place.last not in tokens:
            return [], None, False
        fresh = beans[tokens.index(place.last) + 1 :] if place.last else beans
        if reached < total and not fresh:
            raise InvalidAnswerError(
                f"{self._client.name} search: {reached} of {total} announced records"
            )
        last = tokens[-1] if tokens else place.last
        return fresh, replace(place, start=reached, last=last), reached >= total


def _asked(sweep: Sweep) -> Mapping[str, object]:
    asked: dict[str, object] = {"fields": ",".join(sweep.fields)}
    if sweep.expand:
        asked["expand"] = sweep.expand
    if sweep.properties:
        asked["properties"] = sweep.properties
    return asked


def _known(one: Found) -> str:
    return f"{one.id}@{epoch_ms(one.updated_at)}"


def _token(bean: Payload) -> str:
    fields = bean.get("fields")
    updated = fields.get("updated") if isinstance(fields, Mapping) else None
    return f"{text_of(bean.get('id'))}@{text_of(updated)}"


def _issues(
    beans: Sequence[Payload],
) -> tuple[tuple[Found, ...], tuple[tuple[str, str], ...]]:
    issues: list[Found] = []
    broken: list[tuple[str, str]] = []
    for bean in beans:
        try:
            issues.append(found(bean))
        except InvalidAnswerError as error:
            broken.append((text_of(bean.get("id")), str(error)))
    return tuple(issues), tuple(broken)
