"""Puts the daemon together: the only module that knows both the engine and the outside."""

import os
import secrets
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from config.installation import Installation, load_installation
from config.renderer import TemplateRenderer
from config.tier_map import LoadedTierMap, load_tier_map
from connectors.registry import Directory, Itsm, build_directory, build_itsm, build_mailer, models
from engine.ai.lazy import LazyClassifier
from engine.ai.local import LocalClassifier
from engine.domain.action import ActionSpec, Catalogue
from engine.domain.decision import Authority, Phase
from engine.domain.refs import Account, Person
from engine.errors import (
    ConfigurationError,
    PersonUnknownError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.brains import Classifier
from engine.ports.clock import Clock
from engine.ports.findings import Finding
from engine.ports.heads import HeadSink
from engine.ports.mailer import Mailer
from engine.ports.people import AccountFacts, People
from engine.runtime.clock import SystemClock
from engine.runtime.heads import check_sinks, sinks
from engine.runtime.secret_files import check_secrets
from engine.service.accounts import Accounts
from engine.service.separation import check_authorities
from engine.service.templates import check_templates
from engine.service.world import Occasion, Services, Settings
from engine.store.keys import write_key
from engine.store.store import SQLStore, open_store

_INSTALLATION = "installation.id"
_KEY_FILE = "installation.key"
_KEY_BYTES = 32
_RETENTION_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An installation and its store, for commands that talk to no outside system."""

    installation: Installation
    store: SQLStore
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Everything a daemon works with."""

    opened: Opened
    services: Services
    accounts: Accounts
    itsm: Mapping[str, Itsm]
    directories: Mapping[str, Directory]
    mailer: Mailer
    tier_map: LoadedTierMap
    catalogue: Catalogue
    polls: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])
    sinks: tuple[HeadSink, ...] = ()
    _erased_at: list[datetime] = field(default_factory=list[datetime], init=False, repr=False)

    @property
    def lag(self) -> timedelta:
        """How long what was just written may hide from a sweep of some system."""
        return max((one.lag for one in self.itsm.values()), default=timedelta(0))

    def check(self, only: str | None = None) -> tuple[Finding, ...]:
        """Ask every connector, or one, for its findings; a system found unsafe is shut.

        Raises:
            ConfigurationError: No such connector.
        """
        checks: dict[str, Callable[[], tuple[Finding, ...]]] = {
            name: partial(self.accounts.look, name) for name in self.accounts.systems
        }
        checks["audit"] = partial(check_sinks, self.sinks)
        checks["secrets"] = partial(check_secrets, self.opened.installation.secret_files)
        if only is not None and only not in checks:
            raise ConfigurationError(f"no connector {only!r}; there are: {', '.join(checks)}")
        found = [one for name, check in checks.items() if only in {None, name} for one in check()]
        changes = {name: one for name, one in self.services.changes.items() if only in {None, name}}
        policies = [action.gate_policy for action in self.tier_map.policy.actions.values()]
        return (*found, *check_templates(changes, policies))

    def url_of(self, system: str) -> str:
        """Return the address of an ITSM system, as the configuration says it."""
        return str(getattr(self.opened.installation.systems[system].settings, "url", ""))

    def keep_house(self) -> None:
        """Seal the audit heads, tell them outside, and erase what is kept no longer.

        Call it every few seconds; each part is done whatever becomes of another.

        Raises:
            TransientError: A place outside did not take the heads; they are told it again.
        """
        store, now = self.opened.store, self.opened.clock.now()
        store.seal(now)
        keep = self.opened.installation.audit.keep
        if keep is not None and self._is_an_hour_since(now):
            store.keep_until(now - keep, at=now)
        store.scrub()
        failed: list[TransientError] = []
        for sink in self.sinks:
            try:
                store.announce(sink.name, sink.send)
            except TransientError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def _is_an_hour_since(self, now: datetime) -> bool:
        if self._erased_at and now - self._erased_at[-1] < _RETENTION_EVERY:
            return False
        self._erased_at[:] = [now]
        return True


class NoWaker:
    """A Waker for commands: the sweep of the running daemon finds what is due."""

    def wake(self, handling: str) -> None:
        """Do nothing; `wake_at` says it all."""


@contextmanager
def open_installation(path: Path, *, is_offline: bool = True) -> Generator[Opened]:
    """Load the configuration and open the store.

    Offline the secrets of systems, directories and mail need not be there: an operator without the
    daemon's environment can look at the store, and pause.

    Raises:
        ConfigurationError: A mistake in the file, with its place.
    """
    installation = load_installation(path, models(), is_offline=is_offline)
    try:
        installation.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"data {installation.data}: cannot be made ({error.strerror});"
            " make it for the daemon's account, or name another folder"
        ) from error
    store = open_store(installation.store_url.get_secret_value(), data_dir=installation.data)
    try:
        yield Opened(installation=installation, store=store, clock=SystemClock())
    finally:
        store.close()


@contextmanager
def open_daemon(
    path: Path,
    *,
    waker: Callable[[str], None] | None = None,
    tiers: Path | None = None,
    is_offline: bool = False,
) -> Generator[Daemon]:
    """Load configuration and tier map, and build every adapter; nothing is asked outside yet.

    `tiers` names another tier map than the installed one; `is_offline` is as for the installation.

    Raises:
        ConfigurationError: A mistake in one of the files, with its place.
    """
    with open_installation(path, is_offline=is_offline) as opened, ExitStack() as closing:
        installation, clock = opened.installation, opened.clock
        itsm = {
            name: build_itsm(entry.kind, name, entry.settings, clock)
            for name, entry in installation.systems.items()
        }
        facts: dict[str, AccountFacts] = {name: one.account_key for name, one in itsm.items()}
        directories = {
            name: build_directory(
                entry.kind,
                name,
                entry.settings,
                installation_key=_installation_key(installation),
                clock=clock,
                account_facts=facts,
            )
            for name, entry in installation.directories.items()
        }
        for directory in directories.values():
            closing.callback(directory.close)
        mailer = build_mailer(installation.mail.settings if installation.mail else None, clock)
        catalogue = _catalogue(directories)
        tier_map = load_tier_map(tiers or installation.tiers, catalogue, installation.names)
        accounts = _accounts(itsm, directories, mailer, tier_map, clock)
        services = Services(
            accounts=accounts,
            desks={name: one.desk for name, one in itsm.items()},
            changes={name: one.changes for name, one in itsm.items() if one.changes is not None},
            change_systems=installation.changes,
            fulfillers={name: one.fulfiller for name, one in directories.items()},
            people=_people(directories),
            classifier=_classifier(installation, tier_map),
            policy=tier_map.policy,
            renderer=_renderer(installation),
            mailer=mailer,
            store=opened.store,
            clock=clock,
            waker=_Waking(waker) if waker else NoWaker(),
            settings=_settings(opened, itsm, tier_map),
            controls=tuple(one.control for one in itsm.values() if one.control is not None),
        )
        yield Daemon(
            opened=opened,
            services=services,
            accounts=accounts,
            itsm=itsm,
            directories=directories,
            mailer=mailer,
            tier_map=tier_map,
            catalogue=catalogue,
            polls={name: one.poll for name, one in itsm.items()},
            sinks=_sinks(installation, clock),
        )


class _Waking:
    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake

    def wake(self, handling: str) -> None:
        self._wake(handling)


def _accounts(
    itsm: Mapping[str, Itsm],
    directories: Mapping[str, Directory],
    mailer: Mailer,
    tier_map: LoadedTierMap,
    clock: Clock,
) -> Accounts:
    """Return who looks at our accounts: the connector, and the authorities of the tier map.

    Directories and mail are polled by nothing: only this look tells that they refuse us.
    """
    groups = tier_map.file.authorities
    authorities = [Authority(name=name, groups=dict(ids)) for name, ids in groups.items()]

    people = _people(directories)

    def known(account: Account) -> Person | None:
        try:
            return people.person(account)
        except (PersonUnknownError, RecordNotFoundError):
            return None

    def look(name: str, one: Itsm) -> tuple[Finding, ...]:
        held = {name: one.changes} if one.changes is not None else {}
        return (*one.check(), *check_authorities(held, authorities, known))

    looks: dict[str, Callable[[], tuple[Finding, ...]]] = {
        name: partial(look, name, one) for name, one in itsm.items()
    }
    unpolled = {name: one.fulfiller.check for name, one in directories.items()}
    unpolled["mail"] = mailer.check
    return Accounts({**looks, **unpolled}, clock, unpolled=unpolled)


def _catalogue(directories: Mapping[str, Directory]) -> Catalogue:
    found: dict[str, ActionSpec] = {}
    for directory in directories.values():
        for name, spec in directory.fulfiller.catalogue().items():
            if found.setdefault(name, spec) != spec:
                raise ConfigurationError(f"two targets define the action {name} differently")
    return found


def _classifier(installation: Installation, tier_map: LoadedTierMap) -> Classifier:
    terms = installation.classifier
    training = tier_map.policy.training(
        seed=terms.seed, threshold=terms.threshold, novelty=terms.novelty
    )
    return LazyClassifier(lambda: LocalClassifier(training))


def _people(directories: Mapping[str, Directory]) -> People:
    """Return who joins accounts to persons: the first directory of the file.

    Raises:
        ConfigurationError: There is no directory.
    """
    if not directories:
        raise ConfigurationError("directories: expected at least one; it says who is who")
    return next(iter(directories.values())).people


def _sinks(installation: Installation, clock: Clock) -> tuple[HeadSink, ...]:
    """Return where signed heads go.

    Raises:
        ConfigurationError: The address of syslog is none.
    """
    heads = installation.audit.heads
    file = installation.file.parent / heads.file if heads.file else None
    return sinks(file=file, syslog=heads.syslog, facility=heads.facility, clock=clock)


def _installation_key(installation: Installation) -> bytes:
    """Return what temporary passwords are derived from; made once where none is configured."""
    if installation.key is not None:
        return installation.key.get_secret_value().encode()
    path = installation.data / _KEY_FILE
    if not path.exists():
        write_key(path, secrets.token_hex(_KEY_BYTES).encode())
    return path.read_bytes()


def _settings(opened: Opened, itsm: Mapping[str, Itsm], tier_map: LoadedTierMap) -> Settings:
    installation = opened.installation
    faults = installation.tell.faults
    return Settings(
        installation=_installation_id(opened.store),
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        fault_system=faults.incident_in if faults else "",
        fault_mail=installation.tell.mail,
        allowed_channels={name: one.channels for name, one in itsm.items()},
        phase_without_action=installation.triage.phase or _most_trusted(tier_map),
        field_confidence=float(installation.triage.confidence),
        comments={Occasion(name): template for name, template in installation.comments.items()},
        resolve_tickets=installation.resolve,
        deadline=installation.timing.deadline,
        lease=installation.timing.lease,
        opening_settle=installation.timing.settle,
    )


def _renderer(installation: Installation) -> TemplateRenderer:
    """Return the renderer over the admin's templates; a broken or missing one is found now.

    Raises:
        ConfigurationError: A template cannot be used, or a comment names one that is not there.
    """
    renderer = TemplateRenderer(installation.templates)
    renderer.check(*installation.comments.values())
    return renderer


def _most_trusted(tier_map: LoadedTierMap) -> Phase:
    """Return the phase of tickets without an action: that of the most trusted action.

    While everything only observes, nothing is written on any ticket.
    """
    phases = {section.phase for section in tier_map.file.actions.values()}
    order = (Phase.AUTOMATIC, Phase.GATED, Phase.OBSERVE)
    return next((phase for phase in order if phase in phases), Phase.OBSERVE)


def _installation_id(store: SQLStore) -> str:
    """Return the name of this installation, made at its first start and never changed."""
    with store.begin() as unit:
        return unit.first_setting(_INSTALLATION, secrets.token_hex(4))
