"""When a plan may run, until when it may be approved, and when people are reminded: pure."""

from datetime import datetime, timedelta

from engine.domain.decision import GatePolicy, Window
from engine.domain.stage import Gate
from engine.errors import PreconditionError

_UNGATED_LIFE = timedelta(days=1)


def window_and_expiry(
    policy: GatePolicy | None, gate: Gate, now: datetime
) -> tuple[Window, datetime]:
    """Return the window of a plan that is submitted now, and when its approval expires.

    The window opens after the lead time, and after the board has met where one has to; it ends by
    its length from there, or within a time from the submission. No end: as long as the approval.

    Raises:
        PreconditionError: Under this calendar it would end, or expire, before it opens.
    """
    if policy is None or not gate.needs_approval:
        return Window(), now + _UNGATED_LIFE
    try:
        earliest = _earliest(policy, now)
        latest = _latest(policy, now, earliest)
        expires_at = policy.after(now, policy.expires)
    except ValueError as error:
        raise PreconditionError(f"no window can be planned: {error}") from None
    if latest is not None:
        expires_at = min(expires_at, latest)
    if earliest is not None and earliest >= expires_at:
        raise PreconditionError(
            f"no window can be planned: it would open at {earliest:%d %b %Y %H:%M} UTC,"
            f" after the approval has expired ({expires_at:%d %b %Y %H:%M} UTC)"
        )
    return Window(earliest=earliest, latest=latest), expires_at


def _earliest(policy: GatePolicy, now: datetime) -> datetime | None:
    opens = policy.after(now, policy.lead)
    if policy.board is not None:
        return max(opens, policy.board.next_meeting(now))
    return opens if policy.lead or policy.length is not None else None


def _latest(policy: GatePolicy, now: datetime, earliest: datetime | None) -> datetime | None:
    if policy.length is not None and earliest is not None:
        return earliest + policy.length
    return None if policy.within is None else policy.after(now, policy.within)


def remind_at(policy: GatePolicy, since: datetime) -> datetime | None:
    """Return when approvers are reminded next, counted from the last time or the submission."""
    return None if policy.remind is None else _or_never(policy, since, policy.remind)


def tell_at(policy: GatePolicy, since: datetime) -> datetime | None:
    """Return when somebody is told that a change waits too long."""
    return None if policy.tell_after is None else _or_never(policy, since, policy.tell_after)


def _or_never(policy: GatePolicy, since: datetime, span: timedelta) -> datetime | None:
    """Count business time; a calendar that no longer opens reminds nobody, and approves nothing."""
    try:
        return policy.after(since, span)
    except ValueError:
        return None
