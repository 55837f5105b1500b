"""Everything outside on sockets, the daemon in this process, and one clock that moves them all."""

import io
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from unittest import mock

import requests
from ruamel.yaml import YAML

from config.installation import Installation
from config.renderer import TemplateRenderer
from config.tier_map import LoadedTierMap, load_tier_map
from connectors.jira.sandbox.server import JiraSandbox
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.smtp.sandbox.server import MailSandbox
from engine.ai.local import LocalClassifier
from engine.bootstrap import Daemon, open_daemon
from engine.bootstrap import _renderer as make_renderer
from engine.cli.demo.files import _tier_map as demo_map
from engine.cli.demo.files import write_files
from engine.cli.sandbox import document_of
from engine.domain.action import Catalogue
from engine.domain.handling import Handling
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.ports.training import TrainingSet
from engine.runtime.clock import SystemClock
from engine.runtime.embedded import EmbeddedRuntime
from engine.runtime.work import _ACCOUNTS as EVERY
from engine.runtime.work import DaemonWork
from engine.service.accounts import Accounts
from engine.service.world import Services, chain_of

_QUIET_ROUNDS = 2
_MOST_ROUNDS = 12
_ROUND = timedelta(seconds=90)
_LONG = timedelta(minutes=65)
"""Longer than a waiting handling sleeps at most: nothing may hang on a sweep that saw it."""


_TRAINED: dict[str, LocalClassifier] = {}
_MAPS: dict[str, LoadedTierMap] = {}
_RENDERERS: dict[str, TemplateRenderer] = {}
_WORLDS: dict[str, str] = {}

# A start of the daemon reads, compiles and trains half a second of things that are the same in
# every play: what depends on equal inputs alone is made once a process, not once a play.


def _trained(training: TrainingSet) -> LocalClassifier:
    key = repr(training)
    if key not in _TRAINED:
        _TRAINED[key] = LocalClassifier(training)
    return _TRAINED[key]


def _tier_map(path: Path, catalogue: Catalogue, names: Collection[str]) -> LoadedTierMap:
    key = repr((path.read_text("utf-8"), sorted(catalogue), sorted(names)))
    if key not in _MAPS:
        _MAPS[key] = load_tier_map(path, catalogue, names)
    return _MAPS[key]


def _renderer(installation: Installation) -> TemplateRenderer:
    key = repr((installation.templates, installation.comments))
    if key not in _RENDERERS:
        _RENDERERS[key] = make_renderer(installation)
    return _RENDERERS[key]


def _awake(_stop: threading.Event) -> Callable[[float], None]:
    return lambda _seconds: None


def _demo_map() -> str:
    return _WORLDS.setdefault("map", demo_map())


class MovingClock:
    """The daemon's own clock: real time plus what the play has let pass."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self._real.now() + self.offset

    def monotonic(self) -> float:
        return time.monotonic() + self.offset.total_seconds()


@dataclass
class Theatre:
    """The sandboxes with their admin ports."""

    folder: Path
    servicenow: ServiceNowSandbox
    jira: JiraSandbox
    directory: DirectorySandbox
    mail: MailSandbox
    clock: MovingClock

    @property
    def document(self) -> dict[str, Any]:
        return document_of(self.servicenow, self.jira, self.directory, self.mail)

    def pass_time(self, step: timedelta) -> None:
        """Let time pass for everybody who reads a clock in these plays."""
        self.shift_systems(step)
        self.clock.offset += step

    def shift_systems(self, step: timedelta) -> None:
        """Move the ITSM systems' clocks alone."""
        for url in (self.servicenow.admin_url, self.jira.admin_url):
            answer = requests.post(
                f"{url}/clock", json={"advance_seconds": step.total_seconds()}, timeout=10
            )
            answer.raise_for_status()

    def effects(self) -> list[str]:
        """What the daemon's account changed in the directory, as the directory logged it."""
        account = self.document["ldap"]["accounts"]["integration"]["username"]
        answer = requests.get(
            f"{self.directory.admin_url}/log", params={"user": account}, timeout=10
        )
        answer.raise_for_status()
        writes = {"MODIFY", "ADD", "DELETE", "MODIFYDN", "EXTENDED"}
        return [
            f"{one['method']} {one['target']}"
            for one in answer.json()["requests"]
            if one["method"] in writes and one["status"] == 0
        ]


@contextmanager
def open_theatre(
    folder: Path, flavour: Literal["cloud", "datacenter"] = "cloud"
) -> Generator[Theatre]:
    clock = MovingClock()
    # Time passes only when a play says so: a wait between two tries is over at once, and the pause
    # that a system asked for when the play's clock says so.
    with (
        mock.patch("connectors.retry.tenacity.sleep_using_event", _awake),
        mock.patch("connectors.pacing.time", clock),
        ServiceNowSandbox(folder / "servicenow", "empty") as servicenow,
        JiraSandbox(folder / "jira", "empty", flavour) as jira,
        DirectorySandbox(folder / "ldap", "demo") as directory,
        MailSandbox(folder / "smtp") as mail,
    ):
        yield Theatre(folder, servicenow, jira, directory, mail, clock)


def edit_yaml(path: Path, change: Callable[[Any], None]) -> None:
    """Change a YAML file the way an admin does, and leave the rest as it is."""
    yaml = YAML()
    yaml.width = 4096
    document = yaml.load(path.read_text("utf-8"))
    change(document)
    out = io.StringIO()
    yaml.dump(document, out)
    path.write_text(out.getvalue(), "utf-8")


class Patient:
    """The look at our accounts, as often as the daemon's own timer has it: not in every round."""

    def __init__(self, inner: Accounts, clock: MovingClock, looked: dict[str, datetime]) -> None:
        self.inner = inner
        self._clock = clock
        self.looked = looked

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def watch(self, system: str) -> None:
        now, last = self._clock.now(), self.looked.get(system)
        if last is not None and now - last < EVERY:
            return self.inner.require_safe(system)
        self.looked[system] = now
        return self.inner.watch(system)


class Company:
    """One installation of the daemon, in this process, over one store."""

    def __init__(
        self, theatre: Theatre, system: str, *, config: Path | None = None, name: str = "one"
    ) -> None:
        self.theatre = theatre
        self.system = system
        self.folder = theatre.folder / name
        if config is None:
            self.folder.mkdir(mode=0o700)
            with mock.patch("engine.cli.demo.files._tier_map", _demo_map):
                config = write_files(self.folder, theatre.document)
        self.config = config
        self.steps: list[tuple[Stage, Stage, str]] = []
        self.interpose: Callable[[Services], Services] = lambda services: services
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self.daemon: Daemon | None = None
        self._watched: Patient | None = None
        self.may_fail: frozenset[str] = frozenset()
        self.is_stormy = False
        """Whether any part may fail, since requests do."""
        self.looks_at_start = True
        """Whether a restarted daemon looks at its accounts at once, as ours does: a second."""

    @property
    def tiers(self) -> Path:
        return self.config.parent / "tiers.yaml"

    def open(self) -> None:
        """Start the daemon anew: configuration, tier map and store are read again."""
        self.close()
        # It trains when it is first asked, so this one stands for as long as the daemon does.
        self._stack.enter_context(mock.patch("engine.bootstrap.LocalClassifier", _trained))
        with (
            mock.patch("engine.bootstrap.SystemClock", return_value=self.theatre.clock),
            mock.patch("engine.bootstrap.load_tier_map", _tier_map),
            mock.patch("engine.bootstrap._renderer", _renderer),
        ):
            self.daemon = self._stack.enter_context(open_daemon(self.config))

    def close(self) -> None:
        self._stack.close()
        self._stack = ExitStack()
        self.daemon = None

    @property
    def services(self) -> Services:
        assert self.daemon is not None, "the daemon is not running"
        return self.daemon.services

    def round(self, *, may_fail: bool = False) -> int:
        """Poll, sync and advance everything that is due, once; return how many steps that were."""
        before = len(self.steps)
        assert self.daemon is not None
        services = self.interpose(self.daemon.services)
        services = replace(services, accounts=cast("Accounts", self._patient(self.daemon)))
        work = DaemonWork(
            services,
            polls={self.system: timedelta(seconds=1)},
            housekeeping=self.daemon.keep_house,
            on_step=self._seen,
        )
        runtime = EmbeddedRuntime(work, clock=self.theatre.clock, workers=2)
        runtime.run_once()
        is_foreseen = may_fail or self.is_stormy or set(runtime.failing) <= self.may_fail
        assert is_foreseen, runtime.failing
        return len(self.steps) - before

    def _patient(self, daemon: Daemon) -> "Patient":
        if self._watched is None or self._watched.inner is not daemon.accounts:
            looked = {} if self._watched is None or self.looks_at_start else self._watched.looked
            self._watched = Patient(daemon.accounts, self.theatre.clock, looked)
        return self._watched

    def settle(self, *, long: bool = True) -> None:
        """Go on until nothing moves without a person or a date."""
        quiet = 0
        for _ in range(_MOST_ROUNDS):
            self.theatre.pass_time(_ROUND)
            quiet = 0 if self.round() else quiet + 1
            if quiet >= _QUIET_ROUNDS or self._is_over():
                break
        else:
            raise AssertionError(f"it never came to rest: {self.steps[-8:]}")
        if long and not self._is_over():
            self.theatre.pass_time(_LONG)
            if self.round():
                self.settle(long=False)

    def _is_over(self) -> bool:
        with self.services.store.begin() as work:
            standing = work.handlings(stages=tuple(Stage), limit=50)
        return bool(standing) and all(one.stage.is_end for one in standing)

    def _seen(self, before: Handling, after: Handling) -> None:
        with self._lock:
            self.steps.append((before.stage, after.stage, after.reason))

    def handling(self, ref: TicketRef) -> Handling:
        """The newest handling of a ticket."""
        with self.services.store.begin() as work:
            found = work.latest(ref)
        assert found is not None, "the daemon never saw the ticket"
        return found

    def stage(self, ref: TicketRef) -> Stage | None:
        """The stage of the newest handling; None while the ticket was not seen."""
        with self.services.store.begin() as work:
            found = work.latest(ref)
        return None if found is None else found.stage

    def audit(self, ref: TicketRef) -> list[Mapping[str, Any]]:
        """The ticket's whole chain, as rows of event and body."""
        chain = chain_of(ref)
        with self.services.store.begin() as work:
            beside = work.private(chain)
            return [
                {"event": row.event, **row.body, **beside.get(row.number, {})}
                for row in work.audit(chain)
            ]


class Interposed:
    """A change control that lets somebody act right after one of its calls came back."""

    def __init__(self, control: Any, after: str, act: Callable[[], None]) -> None:
        self._control = control
        self._after = after
        self._acts = [act]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._control, name)
        if name != self._after:
            return found

        def call(*args: Any, **named: Any) -> Any:
            answer = found(*args, **named)
            if self._acts:
                self._acts.pop()()
            return answer

        return call


def act_after(
    company: Company, call: str, act: Callable[[], None], *, system: str | None = None
) -> None:
    """Let a person act right after the daemon's next `call` of the change system."""
    name = system or company.system
    inner = Interposed(company.services.changes[name], call, act)

    def interpose(services: Services) -> Services:
        return replace(services, changes={**services.changes, name: inner})

    company.interpose = interpose
