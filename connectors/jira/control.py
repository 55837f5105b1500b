"""The control record of one site: the status, or a field, of one issue in a restricted project."""

from collections.abc import Iterator

from connectors.control_record import findings, judge
from connectors.jira.client import JiraClient
from connectors.jira.desk_check import finding, is_down, permissions, reach
from connectors.jira.groups import memberships
from connectors.jira.history import STATUS, last_edit
from connectors.jira.moves import status_of
from connectors.jira.records import Found, Records, field_text, found
from connectors.jira.settings import ControlSettings, FieldTarget
from connectors.jira.site import Site
from connectors.jira.values import instant, mapping
from engine.domain.refs import Account
from engine.errors import MissingRightError, PermanentError, TransientError
from engine.ports.clock import Clock
from engine.ports.control import ControlReading
from engine.ports.findings import Finding, Severity

_SWITCHES = ("EDIT_ISSUES", "TRANSITION_ISSUES")


class JiraControl:
    """The PauseControl of one site."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        records: Records,
        settings: ControlSettings,
        clock: Clock,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._records = records
        self._settings = settings
        self._clock = clock

    @property
    def name(self) -> str:
        """System and issue."""
        return f"{self._client.name} {self._settings.issue}"

    def read(self) -> ControlReading:
        """Return what the issue says now.

        Raises:
            RecordNotFoundError: It is gone, or hidden from us.
            MissingRightError: The field is hidden from us, or its history.
        """
        one, natives, names = self._now()
        last = last_edit(self._records.history(one), names)
        by: Account | None
        if last is None:
            # Nobody has changed it since: it says what its creator chose.
            by = self._client.account(one.fields.get("creator"))
            at = instant(one.fields.get("created"), "created")
        else:
            is_it = {last.new, last.new_id} & set(natives)
            by, at = (last.by if is_it else None), last.at
        return judge(
            self._settings,
            natives,
            by=by,
            at=at,
            members=memberships(self._client, self._settings.group),
            daemon=self._client.me(),
        )

    def _now(self) -> tuple[Found, tuple[str, ...], tuple[str, ...]]:
        """Return the issue, its present value, and the names of what carries it."""
        wanted = ["status", "created", "creator", "updated", "project"]
        target = FieldTarget(field=self._settings.field) if self._settings.field else None
        native = None if target is None else self._records.native(target)
        fields = ",".join([*wanted, *([native.id] if native else [])])
        params = {"fields": fields, "expand": "changelog"}
        path = f"issue/{self._settings.issue}"
        one = found(mapping(self._client.get(path, params), "issue"))
        if target is None or native is None:
            status = status_of(one.fields.get("status"))
            return one, (status.name, status.id), (STATUS,)
        if native.id not in one.fields:
            raise MissingRightError(f"{self.name}: the field {native.name} cannot be read")
        held = field_text(one.fields, native, target)
        return one, (held,), (native.id, native.name)

    def check(self) -> tuple[Finding, ...]:
        """Return every finding about the issue."""
        found_ = list(reach(self._client, self._clock))
        if is_down(found_):
            return tuple(found_)
        try:
            return tuple(self._findings())
        except (PermanentError, TransientError) as error:
            seen = f"{self.name} cannot be read: {error}"
            remedy = "name an issue that our account may browse; until then everything is paused"
            return (finding(self._client, Severity.FAULT, "control:unreadable", seen, remedy),)

    def _findings(self) -> Iterator[Finding]:
        yield from findings(
            self,
            system=self._client.name,
            members=memberships(self._client, self._settings.group),
            daemon=self._client.me(),
            remedy="name the group by its id (Data Center: its name), and let us browse groups",
        )
        project = self._settings.issue.rpartition("-")[0]
        if held := permissions(self._client, _SWITCHES, project=project):
            seen = f"{self.name}: our own account holds {', '.join(sorted(held))} in its project"
            remedy = "restrict the project to the group; what our account sets lets nobody run"
            yield finding(self._client, Severity.WARNING, "control:writable", seen, remedy)
