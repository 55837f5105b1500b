"""Risk and impact of a change: as the tier map has them, and never below what the instance found.

Both decide who is asked natively. A new record has what the instance's own rules calculate, or its
default; the map may only make it more severe. Lower numbers are more severe (1 is very high).
"""

from connectors.servicenow.answers import text
from connectors.servicenow.client import ServiceNowClient
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef
from engine.errors import ConfigurationError, InvalidAnswerError

SEVERITY = ("risk", "impact")
_TABLE = "change_request"


def raise_severity(client: ServiceNowClient, ref: ChangeRef, draft: ChangeDraft) -> None:
    """Make a new change as severe as its draft asks for; one that is more severe stays so.

    Raises:
        InvalidAnswerError: It was answered with success and ignored.
    """
    wanted = severity_of(draft)
    if not wanted:
        return
    record = client.read(_TABLE, ref.id, fields=("sys_id", *SEVERITY))
    higher = {name: value for name, value in wanted.items() if _is_below(text(record, name), value)}
    if not higher:
        return
    reply = client.update(_TABLE, ref.id, higher, fields=("sys_id", *SEVERITY))
    for name, value in higher.items():
        if _is_below(text(reply, name), value):
            raise InvalidAnswerError(f"{ref}: raising its {name} to {value} was ignored")


def severity_of(draft: ChangeDraft) -> dict[str, str]:
    """Return what the draft asks for.

    Raises:
        ConfigurationError: It is no number, so nobody can say whether it would be lower.
    """
    wanted = {name: draft.native[name] for name in SEVERITY if name in draft.native}
    for name, value in wanted.items():
        if not value.isdecimal():
            raise ConfigurationError(
                f"the tier map sets a change's {name} to {value!r}, which is no number (1 to 5)"
            )
    return wanted


def _is_below(now: str, wanted: str) -> bool:
    return not now.isdecimal() or int(now) > int(wanted)
