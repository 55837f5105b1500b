"""What `check` finds out about a pinned template of standard changes, by reading only."""

from collections.abc import Iterable, Mapping

from connectors.servicenow.answers import text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.probe import Probe
from connectors.servicenow.standard import StandardChanges, Standing, terms
from engine.domain.decision import TemplatePin
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_OURS: Mapping[str, str] = {
    "correlation_id": "it would not be found again",
    "correlation_display": "its plan's tasks and its approvals would not be watched",
    "start_date": "the planned window would be the template's",
    "end_date": "the planned window would be the template's",
    "state": "it would not begin as New",
    "approval": "its approval would be the template's",
    "type": "it would be another kind of change",
    "parent": "it would not lead to its ticket",
    "on_hold": "it would begin on hold",
}
"""Fields of a change that a template must leave alone, and what would come of it."""


class TemplateCheck:
    """Proves that standard changes of a pinned template could run on this instance."""

    def __init__(self, client: ServiceNowClient, clock: Clock, standard: StandardChanges) -> None:
        self._client = client
        self._probe = Probe(client, clock)
        self._standard = standard

    def run(self, pin: TemplatePin) -> tuple[Finding, ...]:
        """Return every finding; without one, an OK that names the template."""
        found = self._probe.run((lambda: self._template(pin), self._tasks))
        found = tuple(one for one in found if one.code != "account")
        if found:
            return found
        return (self._probe.finding(Severity.OK, _code(pin), "the pinned template is in force"),)

    def _template(self, pin: TemplatePin) -> Iterable[Finding]:
        standing = self._standard.standing(pin.version)
        if not standing.version:
            yield self._fault(pin, "the pinned version does not exist, or is hidden from us")
            return
        name = text(standing.producer, "name") or pin.id
        for seen in (*_pin_faults(pin, standing), *_hiding(standing)):
            yield self._fault(pin, f"{name}: {seen}")
        record = {"std_change_producer_version": standing.version["sys_id"]}
        found = self._standard.preapproval(record, mover="")
        if standing.proposal and not found.is_approved:
            yield self._fault(pin, f"{name}: its proposal is not approved")
        if not any(row.set_by is not None for row in found.approvals):
            yield self._fault(pin, f"{name}: nobody is seen to have approved its proposal")
        if found.edits is None:
            yield self._probe.finding(
                Severity.FAULT,
                f"{_code(pin)}:history",
                f"{name}: its history cannot be read",
                "Grant the read right on sys_audit and on the approvals of proposals.",
            )
        settled_at = found.settled_at
        if settled_at and any(one.at > settled_at for one in found.edits or ()):
            yield self._fault(pin, f"{name}: it was edited after its proposal was carried out")

    def _tasks(self) -> Iterable[Finding]:
        yield from self._probe.readable(
            "change_task", why="the plan stands on change tasks.", severity=Severity.FAULT
        )
        yield from self._probe.readable(
            "std_change_proposal",
            why="who approved the template is read there.",
            severity=Severity.FAULT,
        )

    def _fault(self, pin: TemplatePin, seen: str) -> Finding:
        return self._probe.finding(
            Severity.FAULT,
            _code(pin),
            seen,
            "Correct the template in ServiceNow by a proposal, or pin the right version in the"
            " tier map: standard changes of it are refused until then.",
        )


def _code(pin: TemplatePin) -> str:
    return f"template:{pin.id}"


def _pin_faults(pin: TemplatePin, found: Standing) -> Iterable[str]:
    if text(found.version, "std_change_producer") != pin.id:
        yield "the pinned version belongs to another template"
    if text(found.producer, "current_version") != pin.version:
        yield "the pinned version is not the current one"
    if found.is_retired:
        yield "it is retired, or not active"
    if text(found.version, "std_change_proposal") != pin.proposal:
        yield "the pinned version names another proposal than the pinned one"
    if found.proposal and not found.is_as_proposed:
        yield "it does not say what its proposal proposed"


def _hiding(found: Standing) -> Iterable[str]:
    """Yield what the template writes that would hide our plan, or whose change it is."""
    names = {part.partition("=")[0] for part in terms(found.content)}
    for name in sorted(names & set(_OURS)):
        yield f"it sets {name}: {_OURS[name]}"
