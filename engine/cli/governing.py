"""`tiergate pause`, `resume`, `retry`, `release`, `emergency`, `undo`: an operator's switches."""

import getpass
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import typer

from engine.bootstrap import Daemon, open_daemon, open_installation
from engine.cli.console import (
    ConfigOption,
    ExitCode,
    JSONOption,
    complain,
    config_path,
    errors_end_the_command,
    print_json,
    tell,
)
from engine.cli.reading import KeyArgument
from engine.domain.canonical import JSON
from engine.domain.refs import TicketRef
from engine.errors import ConfigurationError
from engine.ports.store import Pause
from engine.service import operations
from engine.service.emergency import expedite

ActionOption = Annotated[str | None, typer.Option("--action", help="Only this action.")]
SystemOption = Annotated[str | None, typer.Option("--system", help="Only this system.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="For the audit and for others.")]


def _done(text: str, document: Mapping[str, JSON], *, as_json: bool) -> None:
    """Tell what was done: to a person, or to a script."""
    if as_json:
        print_json(document)
    else:
        tell(text)


def _operator() -> str:
    return f"operator {getpass.getuser()}"


def _ref(daemon: Daemon, key: str) -> TicketRef:
    with daemon.services.store.begin() as unit:
        return unit.find_ticket(key)


def _require_known(config: Path | None, action: str | None, system: str | None) -> None:
    """Refuse a name that nothing bears: such a pause would stop nothing.

    A pause of everything does not come here: it works while the tier map is broken, too.
    """
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        known: Mapping[str, Collection[str]] = {
            "action": daemon.tier_map.file.actions,
            "system": daemon.opened.installation.names,
        }
        for what, name in (("action", action), ("system", system)):
            if name and name not in known[what]:
                raise ConfigurationError(
                    f"no {what} {name!r}; there are: {', '.join(sorted(known[what]))}"
                )


def pause(
    *,
    config: ConfigOption = None,
    action: ActionOption = None,
    system: SystemOption = None,
    reason: ReasonOption = "",
    as_json: JSONOption = False,
) -> None:
    """Stop new effects before the next one starts; survives a restart."""
    if action or system:
        _require_known(config, action, system)
    with (
        errors_end_the_command(),
        open_installation(config_path(config)) as opened,
        opened.store.begin() as unit,
    ):
        unit.pause(
            Pause(
                action=action, system=system, by=_operator(), at=opened.clock.now(), reason=reason
            )
        )
    document: dict[str, JSON] = {
        "paused": True,
        "action": action,
        "system": system,
        "reason": reason,
    }
    _done(f"paused: {action or system or 'everything'}", document, as_json=as_json)


def resume(
    *,
    config: ConfigOption = None,
    action: ActionOption = None,
    system: SystemOption = None,
    as_json: JSONOption = False,
) -> None:
    """Lift a pause."""
    with (
        errors_end_the_command(),
        open_installation(config_path(config)) as opened,
        opened.store.begin() as unit,
    ):
        stood = unit.resume(action=action, system=system, by=_operator(), at=opened.clock.now())
    if not stood:
        complain(f"{action or system or 'everything'} was not paused")
        raise SystemExit(ExitCode.FINDING)
    document: dict[str, JSON] = {"paused": False, "action": action, "system": system}
    _done(f"resumed: {action or system or 'everything'}", document, as_json=as_json)


def retry(key: KeyArgument, *, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Start anew at a ticket: a new decision, hence a new approval."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        started = operations.retry(daemon.services, _ref(daemon, key), by=_operator())
    document: dict[str, JSON] = {"ticket": key, "attempt": started.attempt}
    _done(f"{key}: attempt {started.attempt} begins", document, as_json=as_json)


def release(key: KeyArgument, *, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Let a ticket go: it is a person's from here."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        operations.release(daemon.services, _ref(daemon, key), by=_operator())
    _done(f"{key}: released", {"ticket": key, "released": True}, as_json=as_json)


def emergency(
    key: KeyArgument,
    *,
    config: ConfigOption = None,
    reason: ReasonOption = "",
    as_json: JSONOption = False,
) -> None:
    """Run it now: an emergency change instead of the one that waits; it is approved anew."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        ref = _ref(daemon, key)
        expedite(daemon.services, ref, by=_operator(), reason=reason)
    said = f"{key}: withdraws its change; an emergency change follows and waits for approval"
    _done(said, {"ticket": key, "kind": "emergency", "reason": reason}, as_json=as_json)


def undo(key: KeyArgument, *, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Take an effect back by a new plan of its own tier; refused where the target moved on."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        started = operations.undo(daemon.services, _ref(daemon, key), by=_operator())
    document: dict[str, JSON] = {"ticket": key, "attempt": started.attempt, "undoes": True}
    _done(f"{key}: attempt {started.attempt} takes it back", document, as_json=as_json)
