"""Whether the templates that the tier map pins could be used where their changes are opened."""

from collections.abc import Iterable, Mapping

from engine.domain.decision import GatePolicy, TemplatePin
from engine.errors import TiergateError
from engine.ports.changes import ChangeControl
from engine.ports.findings import Finding, Severity


def check_templates(
    changes: Mapping[str, ChangeControl], policies: Iterable[GatePolicy]
) -> tuple[Finding, ...]:
    """Return what each change system says of each pinned template, one that fails included."""
    pins = dict.fromkeys(policy.pin for policy in policies)
    return tuple(
        finding
        for control in changes.values()
        for pin in pins
        if pin is not None
        for finding in _findings(control, pin)
    )


def _findings(control: ChangeControl, pin: TemplatePin) -> tuple[Finding, ...]:
    try:
        return control.check_template(pin)
    except TiergateError as error:
        return (
            Finding(
                severity=Severity.FAULT,
                code=f"template:{pin.id}",
                system=control.system,
                seen=f"the pinned template cannot be read: {error}",
                remedy="Grant the read rights on the standard change catalogue.",
            ),
        )
