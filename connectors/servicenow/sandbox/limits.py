"""Inbound rate limits: rules per hour for a user, a role or everybody, counted with a lag.

A node flushes its counters every thirty seconds, so that a client gets past its limit for a while.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.servicenow.sandbox.http import ApiError, Call
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.store import Row

_FLUSH = timedelta(seconds=30)
_NAMES = {"table": "Table API", "stats": "Aggregate API", "attachment": "Attachment API"}


@dataclass(slots=True)
class _Counter:
    """Requests of one rule and user in the running hour."""

    hour: datetime
    flushed_at: datetime
    counted: int = 0
    """What the node has told the instance."""
    waiting: int = 0


@dataclass(slots=True)
class RateLimits:
    """Applies the rules of sys_rate_limit_rules."""

    instance: Instance
    _rules: list[Row] = field(default_factory=list[Row])
    _mark: object = None
    _counters: dict[tuple[str, str], _Counter] = field(
        default_factory=dict[tuple[str, str], _Counter]
    )

    def check(self, call: Call) -> dict[str, str]:
        """Count a request and return the headers of the rule that applies to it.

        Raises:
            ApiError: 429 where the limit is used up.
        """
        mark = self.instance.store.version("sys_rate_limit_rules")
        if mark != self._mark:
            self._rules = self.instance.records.find("sys_rate_limit_rules", active="true")
            self._mark = mark
        rule = self._applying(call) if self._rules else None
        if rule is None:
            return {}
        limit = int(rule["rate_limit_per_hour"] or 0)
        now = self.instance.clock.now()
        counter = self._count(rule, call.actor.user_name, now)
        end = counter.hour + timedelta(hours=1)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(int(end.timestamp())),
            "X-RateLimit-Rule": rule["sys_id"],
        }
        if counter.counted >= limit:
            headers["Retry-After"] = str(max(1, int((end - now).total_seconds())))
            name = next((_NAMES[word] for word in _NAMES if f"/{word}" in call.path), "REST API")
            raise ApiError(
                429,
                "Rate limit exceeded",
                f"Rate limit of {limit} requests per hour for {name} exceeded",
                headers,
            )
        counter.waiting += 1
        return headers

    def _count(self, rule: Row, user: str, now: datetime) -> _Counter:
        hour = now.replace(minute=0, second=0, microsecond=0)
        key = (rule["sys_id"], user)
        counter = self._counters.get(key)
        if counter is None or counter.hour != hour:
            counter = self._counters[key] = _Counter(hour, now)
        if now - counter.flushed_at >= _FLUSH:
            counter.counted += counter.waiting
            counter.waiting = 0
            counter.flushed_at = now
        return counter

    def _applying(self, call: Call) -> Row | None:
        """A user's own rule wins, then the lowest of the roles', then everybody's."""
        rules = [rule for rule in self._rules if _concerns(rule, call)]
        own = [rule for rule in rules if rule["user"] == call.actor.sys_id]
        names = {
            str(one[0]): str(one[1])
            for one in self.instance.store.rows("SELECT sys_id, name FROM sys_user_role")
        }
        by_role = [rule for rule in rules if names.get(rule["role"], "") in call.actor.roles]
        for found in (own, by_role, [one for one in rules if not one["user"] and not one["role"]]):
            if found:
                return min(found, key=lambda rule: int(rule["rate_limit_per_hour"] or 0))
        return None


def _concerns(rule: Row, call: Call) -> bool:
    if rule["method"] and rule["method"].upper() != call.method:
        return False
    return not rule["resource"] or re.search(re.escape(rule["resource"]), call.path) is not None
