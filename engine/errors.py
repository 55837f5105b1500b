"""Every deliberate error, grouped by what the caller must do next.

TiergateError
├── TransientError              try later; nothing was decided: back off, the handling keeps its
stage
│   ├── RateLimitedError            carries retry_after
│   └── OutcomeUnknownError         a write got no answer: look for it by our key before anything
else
├── PermanentError              trying again cannot help: park for a person, with the reason
│   ├── AuthenticationError         stop polling that system, tell once
│   │   └── UnsafeAccountError          our account could approve for itself: shut until mended
│   ├── MissingRightError           the account may not: name the right
│   ├── RecordNotFoundError         deleted, moved or hidden
│   ├── UnmappedValueError          a remote value that no table knows
│   ├── InvalidAnswerError          a reply that cannot be what was asked for
│   └── ChainBrokenError            the audit chain does not fit
├── DomainRuleError             our rules forbid it: never retried, always audited
│   ├── IllegalTransitionError
│   ├── NotApprovedError
│   ├── PlanChangedError
│   ├── ProtectedSubjectError
│   ├── PreconditionError
│   ├── PersonUnknownError
│   ├── DoesNotFitError             text that would have to be cut
│   ├── AlreadyConsumedError        this approval was used before
│   └── LeaseLostError              another worker, or time, took the lease
└── ConfigurationError          refuse to start
"""

from dataclasses import dataclass
from datetime import timedelta


class TiergateError(Exception):
    """The root of every deliberate error."""


class TransientError(TiergateError):
    """Nothing was decided; the same call may succeed later."""


class RateLimitedError(TransientError):
    """The other side asked for a pause."""

    def __init__(self, what: str, *, retry_after: timedelta) -> None:
        """Keep what was refused and the pause the other side asked for."""
        super().__init__(f"{what}: rate limited, asked to wait {retry_after.total_seconds():g} s")
        self.retry_after = retry_after


class OutcomeUnknownError(TransientError):
    """A write got no answer; it may or may not have taken effect."""


class PermanentError(TiergateError):
    """Trying again cannot help; a person has to look."""


class AuthenticationError(PermanentError):
    """The credentials were refused, or the answer was that of an anonymous session."""


class UnsafeAccountError(AuthenticationError):
    """Our account may do what no account of ours may; nothing is done with that system."""


class MissingRightError(PermanentError):
    """The account lacks a right; the message names it."""


class RecordNotFoundError(PermanentError):
    """The record is gone, moved or hidden from our account."""


class UnmappedValueError(PermanentError):
    """A remote value that no mapping table knows."""

    def __init__(self, field: str, value: object) -> None:
        """Keep the field's name and the value that was seen."""
        super().__init__(f"{field}: value {value!r} is in no mapping table")
        self.field = field
        self.value = value


class InvalidAnswerError(PermanentError):
    """A reply that cannot be what was asked for."""


class ChainBrokenError(PermanentError):
    """The audit chain does not fit at the named row."""


class DomainRuleError(TiergateError):
    """Our own rules forbid it."""


class IllegalTransitionError(DomainRuleError):
    """The transition table has no such edge."""


class NotApprovedError(DomainRuleError):
    """The system of record does not say approved."""


class PlanChangedError(DomainRuleError):
    """The plan on the record is not the one that was submitted."""


class ProtectedSubjectError(DomainRuleError):
    """The account is protected; no action touches it."""


class PreconditionError(DomainRuleError):
    """The target is not in the state that the action needs."""


class PersonUnknownError(DomainRuleError):
    """No person, or more than one, stands behind the account."""


class DoesNotFitError(DomainRuleError):
    """The text is longer than its field; it is handed over, never cut."""


class AlreadyConsumedError(DomainRuleError):
    """This approval, claim or effect key was used before."""


class LeaseLostError(DomainRuleError):
    """The lease ran out or belongs to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a file an admin has to look: 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ConfigurationError(TiergateError):
    """The configuration cannot be used; nothing was started."""

    def __init__(self, message: str, *, place: Place | None = None) -> None:
        """Keep the place, so that the message reads `file:line:column: message`."""
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
