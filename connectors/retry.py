"""Calling again after what passes, within the bounds of one system."""

import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity

from connectors.http import HTTPLimits
from engine.errors import OutcomeUnknownError, RateLimitedError, TransientError

T = TypeVar("T")


class ConflictError(TransientError):
    """Somebody changed the record in the same moment (409): read again, decide again.

    It is never repeated as it is: what was decided on the old record might undo what a person did.
    """


def with_retry(
    call: Callable[[], T],
    *,
    limits: HTTPLimits,
    is_repeatable: bool,
    stop: threading.Event | None = None,
) -> T:
    """Call again after transient errors, with growing jittered waits, and raise the last one.

    Ends after `limits.attempts` calls, or when the next wait would go beyond `limits.patience` (a
    long Retry-After ends it at once). `stop`, when set, ends a wait.

    Args:
        call: The read or write.
        limits: Where the retry ends.
        is_repeatable: True for reads, and for writes that the caller can find again by our key or
            that set the same values again. False: an unknown outcome is raised at once, and only
            errors after which nothing was carried out are tried again.
        stop: Ends the waiting, for shutdown.
    """

    def is_worth(error: BaseException) -> bool:
        if isinstance(error, OutcomeUnknownError):
            return is_repeatable
        if isinstance(error, ConflictError):
            return False
        return isinstance(error, TransientError)

    spread = tenacity.wait_exponential_jitter(multiplier=0.3, max=10.0, jitter=0.5)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after.total_seconds() if isinstance(error, RateLimitedError) else 0.0
        return asked + spread(state)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_worth),
        stop=tenacity.stop_any(
            tenacity.stop_after_attempt(limits.attempts),
            tenacity.stop_before_delay(limits.patience.total_seconds()),
        ),
        wait=wait,
        sleep=tenacity.sleep_using_event(stop or threading.Event()),
        reraise=True,
    )
    return retrying(call)
