"""tiergate.yaml: where things are and who we are there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, StrictBool, StrictStr

from config.document import Document, Loc, Plain, load_document
from config.problems import Problems, unknown
from config.secrets import SecretSource, refuse_literals, resolve_all
from config.units import Confidence, Duration, Name
from config.validation import Strict, validate
from engine.domain.decision import Phase
from engine.ports.heads import Facility

MAIL_KIND = "smtp"


class RuntimeKind(StrEnum):
    """What wakes the use cases: one process on SQLite, or many on PostgreSQL."""

    EMBEDDED = "embedded"
    CLUSTER = "cluster"


class StoreSection(Strict):
    """Where our rows are: an SQLAlchemy address."""

    url: SecretStr


class PeopleSection(Strict):
    """The immutable key that joins accounts of all systems to one person."""

    join_on: StrictStr = "employeeNumber"


class FaultsSection(Strict):
    """The queue in which one incident tells a fault of the daemon itself."""

    incident_in: Name
    group: StrictStr


class TellSection(Strict):
    """Who hears of faults of the daemon itself."""

    faults: FaultsSection | None = None
    mail: tuple[StrictStr, ...] = ()


class ClassifierKind(StrEnum):
    """The classifiers that can stand behind the port."""

    LOCAL = "local"


class ClassifierSection(Strict):
    """The classifier and its doubts; an action's own `confidence` in the tier map comes on top."""

    kind: ClassifierKind = ClassifierKind.LOCAL
    seed: Annotated[int, Field(strict=True, ge=0)] = 20261120
    threshold: Confidence | None = None
    novelty: Confidence | None = None


class CommentsSection(Strict):
    """Requester-visible comments by occasion; an occasion without a template stays silent."""

    waiting: Name | None = None
    done: Name | None = None
    refused: Name | None = None
    handed_over: Name | None = None


class TriageSection(Strict):
    """What triage does on tickets without an action, and how sure it is before it writes a field.

    In phase observe nothing is written on them; without a phase they have that of the map's most
    trusted action.
    """

    phase: Phase | None = None
    confidence: Confidence = 0.8


class TimingSection(Strict):
    """How long things may take; the defaults are for production.

    `deadline` bounds one call to a target; `lease` how long an interrupted one is left alone before
    it is verified, so it is the longer one. `settle` is how long a create that was cut off may
    still arrive (ServiceNow lets a request run 60 s).
    """

    deadline: Duration = timedelta(seconds=60)
    lease: Duration = timedelta(minutes=2)
    settle: Duration = timedelta(seconds=60)


class HeadsSection(Strict):
    """Where signed heads of the audit chains go, so that a cut tail shows.

    `syslog` is `unix:///dev/log`, `udp://HOST:514` or `tcp://HOST:601`; `file` is appended to.
    """

    file: StrictStr = ""
    syslog: StrictStr = ""
    facility: Facility = Facility.AUDIT


class AuditSection(Strict):
    """What becomes of the audit: its heads, and how long personal texts of ended tickets stay.

    Without `keep` they stay until they are erased by command.
    """

    heads: HeadsSection = HeadsSection()
    keep: Duration | None = None


def _empty_if_nothing(value: object) -> object:
    return {} if value is None else value


class InstallationFile(Strict):
    """The file as it is written; systems, directories and mail are checked by their connectors."""

    store: StoreSection
    runtime: RuntimeKind = RuntimeKind.EMBEDDED
    tiers: StrictStr = "tiers.yaml"
    data: StrictStr = ""
    key: SecretStr | None = None
    systems: Annotated[dict[Name, dict[str, object]], Field(min_length=1)]
    changes: Annotated[dict[Name, Name], BeforeValidator(_empty_if_nothing)] = Field(
        default_factory=dict[str, str]
    )
    people: PeopleSection = PeopleSection()
    directories: Annotated[dict[Name, dict[str, object]], BeforeValidator(_empty_if_nothing)] = (
        Field(default_factory=dict[str, dict[str, object]])
    )
    mail: dict[str, object] | None = None
    timing: TimingSection = TimingSection()
    tell: TellSection = TellSection()
    classifier: ClassifierSection = ClassifierSection()
    templates: StrictStr = ""
    comments: CommentsSection = CommentsSection()
    triage: TriageSection = TriageSection()
    resolve: StrictBool = True
    audit: AuditSection = AuditSection()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEntry:
    """One named outside system: which connector, and its validated settings."""

    name: str
    kind: str
    settings: BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A loaded installation file; secrets are resolved and never printed.

    `changes` says, for every ITSM system, in which one its changes live (by default its own).
    `data` is the folder for what the daemon keeps beside the store; `templates` that of the admin's
    own templates, if any.
    """

    file: Path
    store_url: SecretStr
    runtime: RuntimeKind
    tiers: Path
    data: Path
    key: SecretStr | None
    systems: Mapping[str, SystemEntry]
    directories: Mapping[str, SystemEntry]
    mail: SystemEntry | None
    changes: Mapping[str, str]
    people: PeopleSection
    tell: TellSection
    timing: TimingSection
    classifier: ClassifierSection
    templates: Path | None
    comments: Mapping[str, str]
    triage: TriageSection
    resolve: bool
    audit: AuditSection
    secret_files: frozenset[Path]
    document: Document = field(repr=False)

    @property
    def names(self) -> frozenset[str]:
        """Names of all systems and directories: what a tier map may refer to."""
        return frozenset(self.systems) | frozenset(self.directories)


def load_installation(
    path: Path,
    system_models: Mapping[str, type[BaseModel]],
    *,
    environment: Mapping[str, str] | None = None,
    is_offline: bool = False,
) -> Installation:
    """Read, check and resolve an installation file.

    Args:
        path: The file; relative paths in it start at its folder.
        system_models: The connectors' settings models by `kind`; mail uses the kind `smtp`.
        environment: Where `env:` references lead; by default the process environment.
        is_offline: No system will be asked: only the store's own secret must lead somewhere.

    Raises:
        ConfigurationError: Every mistake at once, a line each with file:line:column.
    """
    problems = Problems()
    document = load_document(path)
    source = SecretSource(
        environment=os.environ if environment is None else environment,
        base=path.parent,
        only=(("store",),) if is_offline else None,
    )
    data, hidden = resolve_all(document.data, (), document, source, problems)
    file = validate(InstallationFile, data, document, problems, hidden=hidden)
    raw = data if isinstance(data, dict) else {}
    loader = _Connectors(document, problems, hidden, system_models)
    systems = loader.section("systems", raw.get("systems"))
    directories = loader.section("directories", raw.get("directories"))
    mail = loader.mail(raw.get("mail"))
    if file is not None:
        _cross_check(file, document, problems)
        shown = {("store", "url")} if _is_without_password(file.store) else set[Loc]()
        refuse_literals(file, (), document, hidden | shown, problems)
    problems.raise_if_any()
    if file is None:
        raise AssertionError("a file without problems is valid")
    return Installation(
        file=path,
        store_url=_at_the_file(file.store.url, path.parent),
        runtime=file.runtime,
        tiers=path.parent / file.tiers,
        data=path.parent / file.data if file.data else path.parent,
        key=file.key,
        systems=systems,
        directories=directories,
        mail=mail,
        changes={name: file.changes.get(name, name) for name in systems},
        people=file.people,
        tell=file.tell,
        timing=file.timing,
        classifier=file.classifier,
        templates=path.parent / file.templates if file.templates else None,
        comments=file.comments.model_dump(exclude_none=True),
        triage=file.triage,
        resolve=file.resolve,
        audit=file.audit,
        secret_files=source.files(document.data),
        document=document,
    )


class _Connectors:
    """Hands each connector's part of the file to that connector's own model."""

    def __init__(
        self,
        document: Document,
        problems: Problems,
        hidden: frozenset[Loc],
        models: Mapping[str, type[BaseModel]],
    ) -> None:
        self._document = document
        self._problems = problems
        self._hidden = hidden
        self._models = models

    def section(self, section: str, raw: Plain) -> dict[str, SystemEntry]:
        found: dict[str, SystemEntry] = {}
        for name, body in raw.items() if isinstance(raw, dict) else ():
            if not isinstance(body, dict):
                continue
            at = (section, name)
            kind = body.get("kind")
            if not isinstance(kind, str):
                self._problems.add(self._document.place(at), 'missing key "kind"')
            elif kind not in self._models:
                place = self._document.place((*at, "kind"))
                self._problems.add(place, unknown("kind", kind, self._models))
            elif (entry := self._entry(name, kind, body, at)) is not None:
                found[name] = entry
        return found

    def mail(self, raw: Plain) -> SystemEntry | None:
        if not isinstance(raw, dict):
            return None
        if MAIL_KIND not in self._models:
            place = self._document.place(("mail",), key=True)
            self._problems.add(place, "no connector of this installation sends mail")
            return None
        return self._entry("mail", MAIL_KIND, raw, ("mail",))

    def _entry(self, name: str, kind: str, body: dict[str, Plain], at: Loc) -> SystemEntry | None:
        model = self._models[kind]
        data = {
            key: value for key, value in body.items() if key != "kind" or key in model.model_fields
        }
        settings = validate(model, data, self._document, self._problems, at=at, hidden=self._hidden)
        if settings is None:
            return None
        refuse_literals(settings, at, self._document, self._hidden, self._problems)
        return SystemEntry(name=name, kind=kind, settings=settings)


def _at_the_file(url: SecretStr, folder: Path) -> SecretStr:
    """Let a relative SQLite path start at the file's folder, like every other path in it.

    From the working directory, a daemon started elsewhere would begin with an empty store.
    """
    text = url.get_secret_value()
    scheme, separator, rest = text.partition(":///")
    if not separator or not scheme.startswith("sqlite") or rest.startswith((":", "/")) or not rest:
        return url
    return SecretStr(f"{scheme}:///{(folder / rest).absolute()}")


def _is_without_password(store: StoreSection) -> bool:
    """Whether the store's address may stand in the file: no `user:password@` in it."""
    authority = store.url.get_secret_value().partition("://")[2].partition("/")[0]
    return ":" not in authority.rpartition("@")[0]


def _cross_check(file: InstallationFile, document: Document, problems: Problems) -> None:
    for name in sorted(file.systems.keys() & file.directories.keys()):
        problems.add(
            document.place(("directories", name), key=True),
            f'"{name}" is also the name of a system (expected a name of its own)',
        )
    for name, target in file.changes.items():
        if name not in file.systems:
            place = document.place(("changes", name), key=True)
            problems.add(place, unknown("system", name, file.systems))
        if target not in file.systems:
            place = document.place(("changes", name))
            problems.add(place, unknown("system", target, file.systems))
    faults = file.tell.faults
    if faults is not None and faults.incident_in not in file.systems:
        place = document.place(("tell", "faults", "incident_in"))
        problems.add(place, unknown("system", faults.incident_in, file.systems))
    if file.runtime is RuntimeKind.CLUSTER and not file.store.url.get_secret_value().startswith(
        "postgresql"
    ):
        place = document.place(("store", "url"))
        problems.add(place, "runtime cluster needs PostgreSQL (expected postgresql+psycopg://…)")
