"""What we write on tickets: triage fields, hold, resolution; each read back."""

from collections.abc import Mapping

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import (
    BOOLEANS,
    NATIVE_FIELDS,
    PRIORITIES,
    TABLES,
    TICKET_FIELDS,
    TicketMapping,
    choose,
    map_or_raise,
)
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.surroundings import Around
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.ticket import Ticket, TicketField, TicketState
from engine.errors import DoesNotFitError, InvalidAnswerError, MissingRightError

_LARGEST_NOTES = 4000
_TASK_OPEN = frozenset({"-5", "1", "2"})
_TASK_COMPLETE = "3"


class DeskWrites:
    """Writes on incidents and requested items of one instance."""

    def __init__(
        self,
        client: ServiceNowClient,
        settings: ServiceNowSettings,
        mapping: TicketMapping,
        accounts: Accounts,
        around: Around,
    ) -> None:
        self._client = client
        self._settings = settings
        self._mapping = mapping
        self._accounts = accounts
        self._around = around

    def _read(self, ref: TicketRef) -> tuple[str, Record]:
        table = TABLES[ref.kind]
        return table, self._client.read(table, ref.id, fields=TICKET_FIELDS[table])

    def write_fields(
        self, ticket: Ticket, values: Mapping[TicketField, str]
    ) -> Mapping[TicketField, str]:
        """Write those values whose field nobody has set, judged on a fresh read.

        Raises:
            UnmappedValueError: The instance has no such group or choice.
        """
        table, record = self._read(ticket.ref)
        own = self._client.account()
        edited = ticket.edited | self._around.edited(table, [record], own)[ticket.ref.id]
        now = self._mapping.fields(table, record)
        body: dict[str, str] = {}
        wanted: dict[TicketField, str] = {}
        for field, value in values.items():
            # A value that stands was chosen by a person, or written by us before.
            if field not in now or field in edited or now[field]:
                continue
            native = self._native(table, field, value)
            body |= native
            wanted[field] = value
        if not body:
            return {}
        reply = self._client.update(table, ticket.ref.id, body, fields=TICKET_FIELDS[table])
        return {
            field: value
            for field, value in wanted.items()
            if all(text(reply, name) == body[name] for name in NATIVE_FIELDS[table][field])
        }

    def _native(self, table: str, field: TicketField, value: str) -> Mapping[str, str]:
        names = NATIVE_FIELDS[table][field]
        match field:
            case TicketField.ASSIGNMENT_GROUP:
                return {names[0]: self._accounts.group_id(value)}
            case TicketField.CATEGORY:
                return {names[0]: choose(value, self.choices(table, names[0]), field=names[0])}
            case TicketField.PRIORITY:
                if names == ("priority",):
                    map_or_raise(PRIORITIES, "priority", value)
                    return {"priority": value}
                impact, urgency = map_or_raise(PRIORITIES, "priority", value)
                return {"impact": impact, "urgency": urgency}

    def choices(self, table: str, element: str) -> tuple[tuple[str, str], ...]:
        """Return the active choices of a field: stored value and label, in every language."""
        rows, _ = self._client.all_rows(
            "sys_choice",
            q.both(
                q.one_of("name", [table, "task"]),
                q.equals("element", element),
                q.equals("inactive", "false"),
            ),
            fields=("name", "value", "label"),
        )
        own = [row for row in rows if text(row, "name") == table]
        return tuple((text(row, "value"), text(row, "label")) for row in own or rows)

    def put_on_hold(self, ticket: Ticket, change: ChangeRef) -> None:
        """Show that the ticket waits for `change`; a ticket that is no longer open is left alone.

        Raises:
            InvalidAnswerError: The write was answered with success and ignored.
        """
        table, record = self._read(ticket.ref)
        wanted = self._hold(table, record, change)
        if all(text(record, name) == value for name, value in wanted.items()):
            return
        if not self._mapping.state(table, text(record, "state")).is_open:
            return
        self._set(table, ticket.ref, wanted)

    def _hold(self, table: str, record: Record, change: ChangeRef) -> Mapping[str, str]:
        state = {"state": self._mapping.native_state(table, TicketState.ON_HOLD)}
        if table != "incident":
            return state
        # Linking the change has set it; one that a person put there stays.
        is_free = not text(record, "rfc") and change.system == self._client.name
        link = {"rfc": change.id} if is_free else {}
        return {**state, "hold_reason": self._settings.hold_reason, **link}

    def take_off_hold(self, ref: TicketRef, to: TicketState) -> None:
        """Restore the ticket from our own hold; leave alone what a person moved meanwhile."""
        table, record = self._read(ref)
        is_on_hold = self._mapping.state(table, text(record, "state")) is TicketState.ON_HOLD
        is_ours = table != "incident" or text(record, "hold_reason") == self._settings.hold_reason
        if not is_on_hold or not is_ours or to is TicketState.ON_HOLD:
            return
        self._set(table, ref, {"state": self._mapping.native_state(table, to)})

    def resolve(self, ref: TicketRef, notes: str) -> None:
        """Resolve the ticket; one that is no longer open is left alone.

        An item stays open where a person has taken one of its catalog tasks: that part of the
        request is not ours to call done.

        Raises:
            DoesNotFitError: The text is longer than the field.
            InvalidAnswerError: The write was answered with success and ignored.
            MissingRightError: Catalog tasks of the item are hidden from us.
        """
        if len(notes) > _LARGEST_NOTES:
            raise DoesNotFitError(f"close notes hold {_LARGEST_NOTES} characters, not {len(notes)}")
        table, record = self._read(ref)
        if not self._mapping.state(table, text(record, "state")).is_open:
            return
        if table == "incident":
            body = {
                "state": self._mapping.native_state(table, TicketState.RESOLVED),
                "close_code": self._settings.resolve.close_code,
                "close_notes": notes,
            }
            self._set(table, ref, body, unread=frozenset({"close_notes"}))
            return
        if not self._complete_tasks(ref):
            return
        table, record = self._read(ref)
        # The flow may have completed the item with its last task.
        if self._mapping.state(table, text(record, "state")).is_open:
            body = {
                "state": self._mapping.native_state(table, TicketState.CLOSED),
                "close_notes": notes,
            }
            self._set(table, ref, body, unread=frozenset({"close_notes"}))

    def _complete_tasks(self, ref: TicketRef) -> bool:
        """Complete the item's catalog tasks; return False where a person works on one of them."""
        own = self._client.account().id
        is_all = True
        for task in self._around.tasks([ref.id]):
            is_active = map_or_raise(BOOLEANS, "sc_task.active", text(task, "active"))
            if not is_active or text(task, "state") not in _TASK_OPEN:
                continue
            if text(task, "assigned_to") not in {"", own}:
                is_all = False
            else:
                reply = self._client.update(
                    "sc_task", text(task, "sys_id"), {"state": _TASK_COMPLETE}, fields=("state",)
                )
                if text(reply, "state") != _TASK_COMPLETE:
                    raise InvalidAnswerError(
                        f"{ref}: completing its catalog task was answered with success and ignored"
                    )
        return is_all

    def _set(
        self,
        table: str,
        ref: TicketRef,
        body: Mapping[str, str],
        *,
        unread: frozenset[str] = frozenset(),
    ) -> None:
        """Write and compare the reply; `unread` fields may come back in another form."""
        reply = self._client.update(table, ref.id, body, fields=(*body, "sys_mod_count"))
        ignored = sorted(
            name
            for name, value in body.items()
            if name not in unread and text(reply, name) != value
        )
        if not ignored:
            return
        if any(name not in reply for name in ignored):
            raise MissingRightError(f"{ref}: no right to read back {', '.join(ignored)}")
        raise InvalidAnswerError(
            f"{ref}: writing {', '.join(ignored)} was answered with success and ignored"
        )
