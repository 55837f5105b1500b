"""`tiergate run` and `check`: the daemon, and whether it may."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import structlog
import typer

from config.installation import Installation, RuntimeKind
from engine.bootstrap import Daemon, open_daemon
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
from engine.cli.story import Story
from engine.domain.handling import Handling
from engine.errors import ConfigurationError, TiergateError
from engine.ports.findings import Severity
from engine.runtime.embedded import EmbeddedRuntime
from engine.runtime.logs import configure_logs
from engine.runtime.signals import on_end
from engine.runtime.work import DaemonWork
from engine.service.world import Services
from engine.store.lock import DirectoryLock

_log = structlog.stdlib.get_logger("tiergate.run")
_MARKS = {Severity.UNSAFE: "UNSAFE", Severity.FAULT: "fault", Severity.WARNING: "warn"}


def run(
    *,
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="One round, then end.")] = False,
    until_settled: Annotated[
        bool,
        typer.Option("--until-settled", help="End when only people or dates can move anything."),
    ] = False,
    story: Annotated[bool, typer.Option("--story", help="Tell each step on stdout.")] = False,
    colour: Annotated[bool, typer.Option("--colour", help="Tell it in colour.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Tickets at a time.")] = 4,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; running steps are finished, nothing is half done."""
    configure_logs(as_json=not sys.stderr.isatty())
    waking: list[EmbeddedRuntime] = []

    def wake(handling: str) -> None:
        if waking:
            waking[0].pool.wake(handling)

    with (
        errors_end_the_command(),
        open_daemon(config_path(config), waker=wake) as daemon,
        DirectoryLock(daemon.opened.installation.data),
    ):
        require_embedded(daemon.opened.installation)
        _refuse_unsafe(daemon)
        teller = _teller(daemon, has_colour=colour) if story else _silent
        work = DaemonWork(
            daemon.services, polls=daemon.polls, housekeeping=daemon.keep_house, on_step=teller
        )
        runtime = EmbeddedRuntime(work, clock=daemon.opened.clock, workers=workers)
        waking.append(runtime)
        on_end(runtime.stop)
        if once:
            runtime.run_once()
        elif until_settled:
            runtime.run_until_settled(lag=daemon.lag)
        else:
            _log.info("trained", model=daemon.services.classifier.model)
            runtime.run()
        if (once or until_settled) and runtime.failing:
            for name, why in runtime.failing.items():
                complain(f"{name}: {why}")
            raise SystemExit(ExitCode.FINDING)


def _silent(_before: Handling, _after: Handling) -> None:
    """Tell nobody."""


def _teller(daemon: Daemon, *, has_colour: bool) -> Callable[[Handling, Handling], None]:
    return Story(
        daemon.opened.store,
        daemon.opened.clock,
        has_colour=has_colour,
        page=lambda system: f"{daemon.url_of(system)}/approvals",
        approvers=partial(_approvers, daemon.services),
    ).step


def _approvers(services: Services, handling: Handling) -> Sequence[str]:
    """Return the names of who may approve, as far as they can be read; the story is no gate."""
    if handling.change is None or handling.plan is None:
        return ()
    control = services.change_control(handling.change.system)
    try:
        members = control.members(handling.plan.authority_group)
    except TiergateError:
        return ()
    return sorted(member.account.name for member in members or ())


def require_embedded(installation: Installation) -> None:
    """Refuse to run as something else than the file says.

    Raises:
        ConfigurationError: It asks for several machines, which this version does not drive.
    """
    if installation.runtime is not RuntimeKind.EMBEDDED:
        raise ConfigurationError(
            "this version runs on one machine (expected embedded)",
            place=installation.document.place(("runtime",)),
        )


def _refuse_unsafe(daemon: Daemon) -> None:
    """Log every finding; an unsafe ITSM account shuts its system, an unsafe directory ends it all.

    Raises:
        ConfigurationError: The account at a directory may do too much.
    """
    findings = daemon.check()
    for finding in findings:
        if finding.severity in _MARKS:
            _log.warning(
                "finding", severity=str(finding.severity), code=finding.code,
                system=finding.system, seen=finding.seen, remedy=finding.remedy,
            )  # fmt: skip
    unsafe = [
        one
        for one in findings
        if one.severity is Severity.UNSAFE and one.system in daemon.directories
    ]
    if unsafe:
        raise ConfigurationError(
            f"{unsafe[0].system}: {unsafe[0].seen}; nothing was started ({unsafe[0].remedy})"
        )


def check(
    connector: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    *,
    config: ConfigOption = None,
    as_json: JSONOption = False,
) -> None:
    """Look for everything unsafe or failing: rights, credentials, clock, states."""
    configure_logs(as_json=True, level="ERROR")
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        findings = daemon.check(connector)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = _MARKS.get(finding.severity, "ok")
            tell(f"{mark:7} {finding.system:20} {finding.code}: {finding.seen}")
            if finding.remedy and finding.severity in _MARKS:
                tell(f"{'':28} mend: {finding.remedy}")
    if any(finding.severity in {Severity.UNSAFE, Severity.FAULT} for finding in findings):
        raise SystemExit(ExitCode.FINDING)
