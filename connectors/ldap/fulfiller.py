"""LDAPFulfiller: the actions of one directory behind the Fulfiller port."""

import re
from collections.abc import Mapping
from datetime import datetime

from connectors.ldap.actions import CATALOGUE, checked_parameters, end_of
from connectors.ldap.check import DirectoryCheck
from connectors.ldap.delivery import Delivery
from connectors.ldap.derivation import require_installation_key, temporary_password
from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory
from connectors.ldap.entry import Entry
from connectors.ldap.operations import NO_SECRET, Scene, operations
from connectors.ldap.protection import Protection
from connectors.ldap.settings import LDAPSettings
from connectors.ldap.stamps import Stamps
from connectors.ldap.trail import Trail
from engine.domain.action import (
    ActionSpec,
    BoundAction,
    BoundTarget,
    Catalogue,
    ParameterKind,
)
from engine.domain.effect import Evidence
from engine.domain.refs import Person
from engine.errors import (
    LeaseLostError,
    PreconditionError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding
from engine.ports.fulfilment import ForeignChange, Secret

_RESET = "reset_password"
_STABLE_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class LDAPFulfiller:
    """Carries out the catalogue's actions at one directory.

    Subject and group are found by their stable ids every time; names are only shown. What is
    protected is judged again immediately before anything is written.
    """

    def __init__(
        self,
        system: str,
        settings: LDAPSettings,
        directory: Directory,
        dialect: Dialect,
        *,
        installation_key: bytes,
        clock: Clock,
    ) -> None:
        self._system = system
        self._settings = settings
        self._directory = directory
        self._dialect = dialect
        self._key = require_installation_key(installation_key)
        self._clock = clock
        self._protection = Protection(settings, directory, dialect)
        self._delivery = Delivery(settings, directory, dialect)
        self._operations = operations(dialect)

    @property
    def system(self) -> str:
        """The name that the configuration gave this directory."""
        return self._system

    def catalogue(self) -> Catalogue:
        """Return the five actions of a directory."""
        return CATALOGUE

    def bind(self, action: str, *, subject: Person, parameters: Mapping[str, str]) -> BoundAction:
        """Resolve subject and parameters to stable ids; nothing is changed.

        `values["until"]` is the end of a time-boxed action as an ISO 8601 instant in UTC.

        Raises:
            ProtectedSubjectError: Subject or group is protected.
            PreconditionError: A parameter names nothing or several things, or the present state
                does not need the action.
        """
        spec = _spec(action)
        given = checked_parameters(spec, parameters)
        values: dict[str, str] = {}
        if "until" in given:
            values["until"] = end_of(given["until"], self._clock.now())
        person = self._person(subject.directory_id)
        if person.texts(self._dialect.names.join_on) != (subject.key,):
            raise PreconditionError(f"{person.dn} belongs to another person by now")
        self._protection.require_person(person)
        targets: dict[str, BoundTarget] = {}
        group: Entry | None = None
        if "group" in given:
            group = self._group_by_name(given["group"])
            self._protection.require_group(group)
            targets["group"] = self._group_target(group)
        obstacle = self._operations[action].obstacle(Scene(person=person, group=group))
        if obstacle:
            raise PreconditionError(obstacle)
        return BoundAction(
            action=action,
            version=spec.version,
            system=self._system,
            subject=self._person_target(person),
            targets=targets,
            values=values,
        )

    def baseline(self, bound: BoundAction) -> Mapping[str, str]:
        """Return the state before, and which of several servers was asked."""
        scene = self._scene(bound, NO_SECRET)
        server = self._dialect.server_name()
        return {"server": server, **self._operations[bound.action].baseline(scene)}

    def implement(
        self, bound: BoundAction, *, key: str, baseline: Mapping[str, str], deadline: datetime
    ) -> None:
        """Carry the action out once, after the last look at protection, state and deadline.

        A password is reset only while there is an address that it could be sent to.

        Raises:
            ProtectedSubjectError, PreconditionError: Nothing was done.
            LeaseLostError: The deadline had passed; nothing was done.
            OutcomeUnknownError: The directory may or may not have changed.
        """
        self._require_same_server(baseline)
        scene = self._scene(bound, temporary_password(self._key, key))
        self._protection.require_person(scene.person)
        if scene.group is not None:
            self._protection.require_group(scene.group)
        if bound.action == _RESET:
            self._delivery.address(
                scene.person,
                attribute=self._settings.private_mail,
                or_manager=True,
                at=self._clock.now(),
            )
        if self._clock.now() >= deadline:
            raise LeaseLostError(f"{bound.action}: the deadline passed before anything was done")
        self._operations[bound.action].fire(scene, baseline)

    def verify(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:
        """Read the directory back, at the server that was written to."""
        self._require_same_server(baseline)
        try:
            scene = self._scene(bound, temporary_password(self._key, key))
        except PreconditionError as error:
            return Evidence(is_as_planned=False, facts={}, because=str(error))
        return self._operations[bound.action].judge(scene, baseline)

    def back_out(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:  # noqa: ARG002  the port's signature
        """Take back what this effect changed, and only that, at any of several servers.

        The end of a time-boxed membership comes weeks later, when another one may answer.
        Protection stands here as well: an account that became protected meanwhile is a person's
        business.

        Raises:
            PreconditionError: The action cannot be undone, or subject or group are gone.
        """
        scene = self._scene(bound, NO_SECRET)
        self._protection.require_person(scene.person)
        if scene.group is not None:
            self._protection.require_group(scene.group)
        return self._operations[bound.action].take_back(scene, baseline)

    def secret(self, bound: BoundAction, *, key: str) -> Secret | None:
        """Return the temporary password of a reset, derived again; None for other actions."""
        if bound.action != _RESET:
            return None
        return temporary_password(self._key, key)

    def delivery_address(
        self, person: Person, *, attribute: str, or_manager: bool, at: datetime
    ) -> str:
        """Return the out-of-band address for a secret.

        Raises:
            PreconditionError: There is none, or it or the manager may have changed lately.
        """
        return self._delivery.address(
            self._person(person.directory_id), attribute=attribute, or_manager=or_manager, at=at
        )

    def describe(self, bound: BoundAction) -> Mapping[str, BoundTarget]:
        """Return `subject` and, where the action has one, `group`, with fresh facts."""
        scene = self._scene(bound, NO_SECRET)
        described = {"subject": self._person_target(scene.person)}
        if scene.group is not None:
            described["group"] = self._group_target(scene.group)
        return described

    def changes_by_us(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return what the access log ascribes to our account; None where there is none to read.

        Raises:
            PreconditionError: The log does not reach back that far.
        """
        return Trail(self._settings, self._directory, self._dialect).changes(since)

    def newest_changes(self, since: datetime) -> tuple[ForeignChange, ...]:
        """Return what the entries' own stamps say; see `stamps` for what that proves.

        Raises:
            PreconditionError: It is more than is read in one go.
        """
        return Stamps(self._settings, self._directory, self._dialect).newest(since)

    def check(self) -> tuple[Finding, ...]:
        """Return every finding: reachability, credentials, certificate, clock, rights."""
        checked = DirectoryCheck(
            self._system,
            self._settings,
            self._directory,
            self._dialect,
            protection=self._protection,
            clock=self._clock,
        )
        return checked.findings()

    # --- reading
    def _scene(self, bound: BoundAction, secret: Secret) -> Scene:
        if bound.system != self._system:
            raise PreconditionError(f"the action is bound to {bound.system}, not {self._system}")
        spec = _spec(bound.action)
        if bound.version != spec.version:
            raise PreconditionError(
                f"the plan binds version {bound.version} of {spec.name}, this is {spec.version}"
            )
        target = bound.targets.get("group")
        return Scene(
            person=self._person(bound.subject.id),
            group=self._group(target.id) if target else None,
            secret=secret,
        )

    def _person(self, stable_id: str) -> Entry:
        return self._found(
            self._directory.people,
            f"(&{self._dialect.person_filter}{self._dialect.by_id(stable_id)})",
            self._dialect.person_attributes,
            "the subject",
        )

    def _group(self, stable_id: str) -> Entry:
        return self._found(
            self._directory.groups,
            f"(&{self._dialect.group_filter}{self._dialect.by_id(stable_id)})",
            self._dialect.group_attributes,
            "the group",
        )

    def _found(self, base: str, filter_text: str, attributes: tuple[str, ...], what: str) -> Entry:
        try:
            return self._directory.one(base, filter_text, attributes, what)
        except RecordNotFoundError as error:
            raise PreconditionError(str(error)) from error

    def _group_by_name(self, text: str) -> Entry:
        if _STABLE_ID.fullmatch(text):
            return self._group(text)
        if "=" in text:
            entry = self._directory.read(text, self._dialect.group_attributes)
            found: tuple[Entry, ...] = (entry,) if entry else ()
        else:
            found = self._directory.any_of(
                self._directory.groups,
                self._dialect.group_filter,
                ("cn", *(("sAMAccountName",) if self._is_windows else ())),
                text,
                self._dialect.group_attributes,
            )
        if len(found) != 1:
            raise PreconditionError(f"the name of the group means {len(found)} groups")
        # Read again by the id, below the configured base: a name alone proves neither.
        return self._group(self._dialect.stable_id(found[0]))

    @property
    def _is_windows(self) -> bool:
        return "sAMAccountName" in self._dialect.group_attributes

    def _require_same_server(self, baseline: Mapping[str, str]) -> None:
        wanted = baseline.get("server", "")
        if wanted and self._dialect.server_name() != wanted:
            self._directory.transport.close()
            raise TransientError(f"{self._system}: another server answered than {wanted}")

    # --- showing
    def _person_target(self, person: Entry) -> BoundTarget:
        names = self._dialect.names
        state = self._dialect.login_state(person)
        login = "disabled" if state.is_disabled else "locked" if state.is_locked else "open"
        return BoundTarget(
            kind=ParameterKind.PERSON,
            id=self._dialect.stable_id(person),
            name=person.text(names.uid),
            facts={
                "name": person.text("displayName") or person.text("cn"),
                "dn": person.dn,
                "department": person.text(names.department),
                "login": login,
            },
        )

    def _group_target(self, group: Entry) -> BoundTarget:
        return BoundTarget(
            kind=ParameterKind.GROUP,
            id=self._dialect.stable_id(group),
            name=group.text("cn"),
            facts={
                "dn": group.dn,
                "description": group.text("description"),
                "members": str(len(self._dialect.members(group.dn))),
                "ordinary": _truth(self._protection.is_ordinary(group)),
                "nested": _truth(self._protection.is_nested(group)),
            },
        )


def _truth(value: bool) -> str:  # noqa: FBT001  a word for a truth
    return "true" if value else "false"


def _spec(action: str) -> ActionSpec:
    spec = CATALOGUE.get(action)
    if spec is None:
        raise PreconditionError(f"a directory has no action {action!r}")
    return spec
