"""The control record of one instance: a field of one record that people switch in their browser."""

from collections.abc import Iterable

from connectors.control_record import findings, judge
from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, Value, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.evidence import last_edit
from connectors.servicenow.probe import Probe
from connectors.servicenow.settings import ControlSettings
from engine.errors import MissingRightError
from engine.ports.clock import Clock
from engine.ports.control import ControlReading
from engine.ports.findings import Finding


class ServiceNowControl:
    """The PauseControl of one instance."""

    def __init__(self, client: ServiceNowClient, settings: ControlSettings, clock: Clock) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._settings = settings
        self._accounts = Accounts(client)
        self._probe = Probe(client, clock)

    @property
    def name(self) -> str:
        """System, table and record."""
        return f"{self._client.name} {self._settings.table}/{self._settings.record}"

    def read(self) -> ControlReading:
        """Return what the record says now.

        Raises:
            RecordNotFoundError: It is gone, or hidden from us.
            MissingRightError: The field, or part of its history, is hidden from us.
        """
        chosen = self._settings
        fields = ("sys_id", chosen.field, "sys_updated_by", "sys_updated_on")
        record = self._client.read(chosen.table, chosen.record, fields=fields)
        if chosen.field not in record:
            raise MissingRightError(f"{self.name}: the field {chosen.field} cannot be read")
        now = record[chosen.field]
        user, at = self._switched(record, now)
        users = self._accounts.by_user_name([user])
        return judge(
            chosen,
            (now.value, now.display) if now.display else (now.value,),
            by=users.get(user),
            at=q.parse_instant(at),
            members=self._accounts.members(chosen.group),
            daemon=self._client.account(),
        )

    def _switched(self, record: Record, now: Value) -> tuple[str, str]:
        """Return who gave the field its present value, and when.

        Where the table keeps no history of it, whoever wrote the record last may have done so.
        """
        chosen = self._settings
        last = last_edit(self._client, chosen.table, chosen.record, chosen.field)
        if last is None:
            return text(record, "sys_updated_by"), text(record, "sys_updated_on")
        if text(last, "newvalue") != now.value:
            return "", ""
        return text(last, "user"), text(last, "sys_created_on")

    def check(self) -> tuple[Finding, ...]:
        """Return every finding about the record."""
        return self._probe.run((self._findings,))

    def _findings(self) -> Iterable[Finding]:
        yield from findings(
            self,
            system=self._client.name,
            members=self._accounts.members(self._settings.group),
            daemon=self._client.account(),
            remedy="Name an active group by its sys_id, and grant read on sys_user_grmember.",
        )
