"""Fault rules: what goes wrong, for whom, how often; held in memory and set by the admin API."""

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Every fault a sandbox can play; the transport ones are played by the kit for all vendors."""

    LATENCY = "latency"
    """The answer comes `seconds` late; the request itself is carried out at once."""
    RATE_LIMITED = "429"
    """Refused before anything happened; `variant` picks among the vendor's kinds of 429."""
    SERVER_ERROR = "5xx"
    """Refused with `status` before anything happened."""
    HTML_200 = "html"
    """A page (hibernating instance, login) with status 200 in the place of an answer."""
    TRUNCATED_200 = "truncated"
    """A 200 that breaks off: as the vendor does it, or with variant `cut` in mid-transfer."""
    DROP_BEFORE = "drop_before"
    """The connection is cut before the request has any effect."""
    DROP_AFTER = "drop_after"
    """The connection is cut after the request took effect and before any answer."""
    EMPTY_202 = "empty_202"
    """202 without a body; the request is not carried out."""
    STALE_INDEX = "stale_index"
    """Searches see a record as it was `seconds` ago; reads by id see it as it is."""
    LATE_COMMIT = "late_commit"
    """A write is stamped now and becomes visible to other requests `seconds` later."""
    FROZEN_TIMESTAMP = "frozen_timestamp"
    """A write leaves the time of the last update where it was."""
    EQUAL_TIMESTAMPS = "equal_timestamps"
    """All writes that match carry the same time of update."""
    IGNORED_STATE = "ignored_state"
    """A write of a state answers 200 and leaves the state as it was."""
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the name of a fault
    """A bearer token that was good is answered as an expired one."""
    CLOCK_OFFSET = "clock_offset"
    """The HTTP `Date` header of the answers is off by `seconds`."""


class FaultRuleError(ValueError):
    """A fault rule sent to the admin API is malformed; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule: a kind, its size, and the requests it is for (all given conditions must hold)."""

    id: int
    kind: FaultKind
    share: float = 1.0
    """The share of the matching requests that it strikes, 0 to 1."""
    path: str | None = None
    """A regular expression searched in path and query."""
    method: str | None = None
    user: str | None = None
    next_n: int | None = None
    """How many more times it strikes; None for ever."""
    seconds: float = 0.0
    status: int = 503
    variant: str = ""

    def concerns(self, *, method: str, target: str, user: str) -> bool:
        """Say whether a request is in the scope of this rule, chance left aside."""
        if self.method is not None and self.method.upper() != method.upper():
            return False
        if self.user is not None and self.user != user:
            return False
        return self.path is None or re.search(self.path, target) is not None


_FIELDS: Mapping[str, tuple[type, ...]] = {
    "kind": (str,),
    "share": (int, float),
    "path": (str,),
    "method": (str,),
    "user": (str,),
    "next_n": (int,),
    "seconds": (int, float),
    "status": (int,),
    "variant": (str,),
}


def parse_rule(number: int, raw: object) -> FaultRule:
    """Build rule `number` from decoded JSON.

    Raises:
        FaultRuleError: an unknown key or kind, a wrong type, a share outside 0 to 1, a bad regex.
    """
    if not isinstance(raw, dict):
        raise FaultRuleError("a fault rule is a JSON object")
    values: dict[str, object] = {str(key): value for key, value in raw.items() if value is not None}
    for key, value in values.items():
        if key not in _FIELDS:
            raise FaultRuleError(f"unknown key {key!r}; known: {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[key]) or isinstance(value, bool):
            raise FaultRuleError(f"{key} has the wrong type {type(value).__name__}")
    try:
        kind = FaultKind(str(values.pop("kind", "")))
    except ValueError as error:
        known = ", ".join(kind.value for kind in FaultKind)
        raise FaultRuleError(f"unknown kind; known: {known}") from error
    rule = FaultRule(id=number, kind=kind, **values)  # type: ignore[arg-type]  # checked above
    if not 0 <= rule.share <= 1:
        raise FaultRuleError("share lies between 0 and 1")
    if rule.next_n is not None and rule.next_n < 1:
        raise FaultRuleError("next_n is at least 1")
    try:
        re.compile(rule.path or "")
    except re.error as error:
        raise FaultRuleError(f"path is no regular expression: {error}") from error
    return rule


class FaultBoard:
    """The rules in force and how often each has struck; safe to use from any thread."""

    def __init__(self, *, seed: int = 20261120) -> None:
        self._lock = threading.Lock()
        self._rules: dict[int, FaultRule] = {}
        self._left: dict[int, int] = {}
        self._struck: dict[int, int] = {}
        self._next_id = 1
        self._chance = random.Random(seed)

    def add(self, raw: object) -> FaultRule:
        """Put a rule in force.

        Raises:
            FaultRuleError: it is malformed.
        """
        with self._lock:
            rule = parse_rule(self._next_id, raw)
            self._next_id += 1
            self._rules[rule.id] = rule
            self._struck[rule.id] = 0
            if rule.next_n is not None:
                self._left[rule.id] = rule.next_n
            return rule

    def listing(self) -> list[dict[str, object]]:
        """Return every rule in force with the number of times it has struck."""
        with self._lock:
            return [
                {**asdict(rule), "struck": self._struck[number], "left": self._left.get(number)}
                for number, rule in self._rules.items()
            ]

    def remove(self, number: int | None = None) -> int:
        """Withdraw one rule, or all of them; return how many were in force."""
        with self._lock:
            numbers = list(self._rules) if number is None else [number]
            found = [one for one in numbers if self._rules.pop(one, None) is not None]
            for one in found:
                self._left.pop(one, None)
                self._struck.pop(one, None)
            return len(found)

    def any(self) -> bool:
        """Say whether any rule is in force (the cheap question of the fast path)."""
        return bool(self._rules)

    def strike(self, kind: FaultKind, *, method: str, target: str, user: str) -> FaultRule | None:
        """Return the rule of this kind that strikes this request and count it, or None.

        A rule with `next_n` is used up by its strikes and stays listed with `left` 0.
        """
        if not self._rules:
            return None
        with self._lock:
            for number, rule in self._rules.items():
                if rule.kind is not kind or self._left.get(number) == 0:
                    continue
                if not rule.concerns(method=method, target=target, user=user):
                    continue
                if rule.share < 1 and self._chance.random() >= rule.share:
                    continue
                if number in self._left:
                    self._left[number] -= 1
                self._struck[number] += 1
                return rule
            return None
