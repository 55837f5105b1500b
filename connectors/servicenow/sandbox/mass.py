"""Mass data: incidents by the million, written past the rules with their encoded rows."""

import random
from collections.abc import Generator
from datetime import timedelta

from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.shape import encode_row
from connectors.servicenow.sandbox.store import Row

_SUBJECTS = (
    "Cannot sign in since this morning", "The printer on floor three is out of toner",
    "Laptop battery lasts ten minutes", "Shared folder is not reachable", "VPN drops every hour",
    "Mailbox is full", "Need the new version of the planning tool", "Screen flickers",
    "Phone has no dial tone", "Meeting room display shows nothing",
)  # fmt: skip
_BATCH = 10_000


def add_incidents(instance: Instance, count: int) -> None:
    """Add `count` incidents whose times end at the present, the same ones on every sandbox."""
    table = instance.schema.tables["incident"]
    first = instance.records.store.next_number("mass", 0)
    left = count
    done = 0
    while left:
        size = min(_BATCH, left)
        with instance.store.transaction():
            rows = _incidents(instance, first, done, size, count)
            instance.store.insert_many(table, ((row, encode_row(table, row)) for row in rows))
        left -= size
        done += size


def _incidents(
    instance: Instance, series: int, start: int, size: int, count: int
) -> Generator[Row]:
    table = instance.schema.tables["incident"]
    chance = random.Random(f"{series}:{start}")
    callers = [str(one[0]) for one in instance.store.rows("SELECT sys_id FROM sys_user")]
    groups = [str(one[0]) for one in instance.store.rows("SELECT sys_id FROM sys_user_group")]
    default = {name: column.default for name, column in table.columns.items()}
    end = instance.clock.now() - timedelta(hours=1)
    step = timedelta(days=365) / max(count, 1)
    for index in range(start, start + size):
        created = stamp(end - step * (count - index))
        state = chance.choice(("1", "2", "6", "7", "7", "7"))
        closed = state in ("6", "7")
        caller = chance.choice(callers)
        number = f"INC{series + 1}{index:07d}"
        yield default | {
            "sys_id": f"{chance.getrandbits(128):032x}",
            "number": number,
            "task_effective_number": number,
            "sys_class_name": "incident",
            "state": state,
            "incident_state": state,
            "active": "false" if state == "7" else "true",
            "caller_id": caller,
            "opened_by": caller,
            "assignment_group": chance.choice(groups),
            "short_description": chance.choice(_SUBJECTS),
            "description": " ".join(chance.choices(_SUBJECTS, k=3)),
            "opened_at": created,
            "sys_created_on": created,
            "sys_updated_on": created,
            "sys_created_by": "admin",
            "sys_updated_by": "admin",
            "sys_mod_count": "0",
            "close_code": "Solution provided" if closed else "",
            "close_notes": "Solved on the phone." if closed else "",
            "resolved_at": created if closed else "",
            "closed_at": created if state == "7" else "",
        }
