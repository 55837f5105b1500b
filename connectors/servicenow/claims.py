"""The claim in the system of record that a second daemon with another store cannot also make.

It is a change task whose sys_id follows from change and plan. ServiceNow lets a client choose the
sys_id of a new record and keeps it unique, so of two creates one loses, whichever store stands
behind it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.servicenow.answers import text
from connectors.servicenow.client import ServiceNowClient
from engine.domain.change import ClaimResult
from engine.domain.refs import ChangeRef
from engine.errors import (
    InvalidAnswerError,
    OutcomeUnknownError,
    PermanentError,
    RecordNotFoundError,
    TransientError,
)

_FIELDS = ("sys_id", "correlation_id", "correlation_display")


class Claims:
    """Claims on changes of one instance."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client

    def claim(self, ref: ChangeRef, *, plan_digest: str, owner: str) -> ClaimResult:
        """Create the task, or say whose it is.

        Raises:
            TransientError: Nothing can be said yet; call again.
            InvalidAnswerError: The instance did not keep the sys_id that we chose.
        """
        values = {
            "change_task_type": "implementation",
            "short_description": f"Implement plan {plan_digest.removeprefix('sha256:')[:8]}",
            "description": f"Claimed for plan {plan_digest}; carried out once, by Tiergate.",
        }
        place = Place(table="change_task", parent="change_request", parent_id=ref.id)
        once = claim_id(ref.id, plan_digest)
        return claim_record(self._client, place, once, values, owner=owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """In which table a claim is made, and which field of it names the record it belongs to."""

    table: str
    parent: str
    parent_id: str


def claim_record(
    client: ServiceNowClient, place: Place, claim: str, values: Mapping[str, str], *, owner: str
) -> ClaimResult:
    """Create the record whose sys_id is `claim`, or say whose it is.

    Raises:
        TransientError: Nothing can be said yet; call again.
        InvalidAnswerError: The instance did not keep the sys_id that we chose.
    """
    mark = _owner_mark(owner)
    earlier = _whose(client, place, claim, mark)
    if earlier is not None:
        return earlier
    whole = {
        **values,
        "sys_id": claim,
        place.parent: place.parent_id,
        "correlation_id": mark,
        "correlation_display": "Tiergate claim",
    }
    try:
        record = client.create(place.table, whole, fields=(*_FIELDS, place.parent))
    except (OutcomeUnknownError, PermanentError):
        # Lost answer or taken id: the record with our id says whose it is.
        found = _whose(client, place, claim, mark)
        if found is None:
            raise
        return found
    if text(record, "sys_id") != claim:
        raise InvalidAnswerError(
            f"{client.name} {place.table}: the instance does not keep a chosen sys_id, so a claim"
            " proves nothing"
        )
    # Read back on its own: what stands there now is what a second daemon would see.
    found = _whose(client, place, claim, mark)
    if found is None:
        raise TransientError(f"{client.name} {place.table}: the claim cannot be read back yet")
    return ClaimResult.WON if found is ClaimResult.OURS else found


def _whose(client: ServiceNowClient, place: Place, claim: str, mark: str) -> ClaimResult | None:
    try:
        record = client.read(place.table, claim, fields=(*_FIELDS, place.parent))
    except RecordNotFoundError:
        return None
    is_ours = text(record, "correlation_id") == mark and (
        text(record, place.parent) == place.parent_id
    )
    return ClaimResult.OURS if is_ours else ClaimResult.LOST


def claim_id(change_id: str, plan_digest: str) -> str:
    """Return the sys_id that the claim of this plan on this change has, for every daemon."""
    return hashlib.sha256(f"claim\x1f{change_id}\x1f{plan_digest}".encode()).hexdigest()[:32]


def _owner_mark(owner: str) -> str:
    return "claim-" + hashlib.sha256(owner.encode()).hexdigest()[:40]
