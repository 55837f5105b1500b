"""The table of attacks in docs/gate.md: made from the rows that the tests play, never by hand.

`python -m tests.e2e.attacks.table` writes it. `REQUIRED` is what an attack suite must have at
least; each of its names points at one or more rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.attacks import (
    test_jira,
    test_moments,
    test_servicenow,
    test_sites,
    test_storms,
)
from tests.e2e.attacks.scene import Attack

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "gate.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The rows of one test."""

    module: Any
    vendor: str
    test: str
    rows: Sequence[Attack[Any]]


SN = "test_no_attack_in_servicenow_gets_more_than_the_row_allows"
JSM = "test_no_attack_in_jira_gets_more_than_the_row_allows"
MOMENT = "test_what_happens_between_two_moments_is_seen_in_time"
CENTER = "test_no_attack_on_a_data_center_gets_more_than_the_row_allows"
PLAIN = "test_no_attack_on_a_plain_issue_gets_more_than_the_row_allows"
MIXED = "test_no_attack_on_a_jira_tickets_change_in_servicenow_gets_more_than_the_row_allows"
STORM_SN = "test_an_attack_on_servicenow_ends_the_same_in_a_storm"
STORM_JSM = "test_an_attack_on_jira_ends_the_same_in_a_storm"

SUITES = (
    Suite(module=test_servicenow, vendor="ServiceNow", test=SN, rows=test_servicenow.ATTACKS),
    Suite(module=test_moments, vendor="ServiceNow", test=MOMENT, rows=test_moments.ATTACKS),
    Suite(module=test_jira, vendor="JSM", test=JSM, rows=test_jira.ATTACKS),
    Suite(module=test_sites, vendor="JSM Data Center", test=CENTER, rows=test_sites.DATA_CENTER),
    Suite(module=test_sites, vendor="plain Jira", test=PLAIN, rows=test_sites.PLAIN),
    Suite(module=test_sites, vendor="Jira with ServiceNow", test=MIXED, rows=test_sites.MIXED),
    Suite(
        module=test_storms,
        vendor="ServiceNow, failing",
        test=STORM_SN,
        rows=(*test_storms.SERVICENOW, *test_storms.MOMENTS),
    ),
    Suite(module=test_storms, vendor="JSM, failing", test=STORM_JSM, rows=test_storms.JIRA),
)

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "daemon's account made an approver": ("the daemon's account is made an approver",),
    "requester approves": ("the requester approves", "the requester moves it on"),
    "requester approves as a delegate": ("the requester approves as a delegate",),
    "requester's second account approves": ("the requester's second account approves",),
    "subject approves": ("the subject approves", "the subject moves it on"),
    "approver outside the authority": (
        "an approver outside the authority approves beside one inside it",
        "somebody outside the authority is named an approver",
        "somebody outside the authority moves it on by another transition",
    ),
    "friend added to the authority after submission": (
        "a friend is added to the authority after submission",
        "a friend joins the authority after submission and moves it on",
    ),
    "second group of the same name": (
        "a second group of the same name approves",
        "a group that looks like the authority approves",
    ),
    "admin acts for an approver": ("an admin acts for an approver",),
    "bot approves": ("a bot approves",),
    "state moved by hand without approvals": (
        "the state is moved by hand without approvals",
        "a script moves it to Implement without approvals",
    ),
    "somebody else moves it to Implement": (
        "somebody else moves it to Implement",
        "somebody else moves it to Implementing",
    ),
    "`approval` set by hand": (
        "`approval` is set by hand",
        "`approval` is set by hand and the state moved",
        "`approval` is set by hand and the rows are set aside",
    ),
    "policy skipped everybody": ("the policy skips everybody", "nobody is left who could approve"),
    "one of two stages approved": ("one of two stages approved",),
    "approved, then plan text edited": (
        "the plan text is edited after approval",
        "the plan text is edited after the move",
        "the plan is edited before the second read",
    ),
    "edited before approval and edited back after": (
        "the plan is edited before approval and edited back after",
        "the plan is edited before the move and edited back after",
    ),
    "a parameter edited in a hidden field": (
        "a field that approvers cannot see is edited",
        "a field that is easily overlooked is edited",
    ),
    "approval from an earlier revision or change": (
        "an approval from an earlier revision",
        "an approval from another change",
        "moved back and asked again: the earlier move does not count",
    ),
    "digest forged": ("the digest is forged", "the key in the entity property is forged"),
    "a fake approved block in the ticket's text": (
        "a fake approved block stands in the ticket's text",
    ),
    "group renamed or re-created under the same name": (
        "the target group is re-created under the same name after approval",
        "the target group is renamed after approval",
        "the authority is renamed and re-created after approval",
        "the approver leaves the authority before it runs",
        "who moved it on leaves the authority before it runs",
    ),
    "harmless group nested into a privileged one": (
        "a harmless group is nested into a privileged one after approval",
    ),
    "ticket's requester changed after approval": (
        "the ticket's requester is changed after approval",
    ),
    "change re-opened after implementation": ("the change is re-opened after implementation",),
    "two daemons on one store": ("two daemons on one store",),
    "two daemons with two stores": (
        "two daemons with two stores",
        "two installations on one instance",
    ),
    "clock set back": ("the change system's clock is set back after expiry",),
    "backup from before the implementation restored": (
        "a backup from before the implementation is restored",
        "a backup is restored between effect and closing",
    ),
    "approved after expiry": ("approved after expiry",),
    "window passed": (
        "approved after its window",
        "the window passes before it runs",
        "the window is moved after approval",
    ),
    "freeze starts between approval and window": ("a freeze starts between approval and window",),
    "on hold in the last second": (
        "on hold in the last second",
        "on hold before the second read",
        "held, and released by the person who held it",
    ),
    "map tightened after approval": (
        "the map asks for a second approver after approval",
        "the map gives it to a person after approval",
    ),
    "JSM third transition that bypasses the approval": (
        "a third transition goes around the approval",
        "a transition leads around the approval status",
    ),
    "JSM re-entry with a new approval id": (
        "the approval is entered again with a new id",
        "the approval is entered again and given again",
        "moved back, asked again and moved on again",
    ),
    "approval withdrawn before the second read": (
        "the approval is withdrawn before the second read",
    ),
    "vague change approved and then adopted": ("a vague change is approved and then adopted",),
    "audit tail deleted": ("the audit tail is deleted",),
    "a person ends it natively": (
        "rejected",
        "cancelled by a person after approval",
        "cancelled before the second read",
        "the approved change is deleted",
        "closed by hand after the move",
    ),
}


def lines() -> list[str]:
    """Return the table, a line a row, in the order of `REQUIRED`."""
    out = [
        "| attack | played on | handling | changes, oldest first | effects | said |",
        "|---|---|---|---|---|---|",
    ]
    for names in REQUIRED.values():
        for name in names:
            out += _rows(name)
    return out


def _rows(name: str) -> list[str]:
    """One line for each different end of this attack, with everywhere it is played."""
    ends: dict[tuple[str, ...], list[str]] = {}
    for suite in SUITES:
        for row in suite.rows:
            if row.name == name:
                native = ", ".join(row.native) or "none"
                end = (str(row.end), native, str(row.effects), row.reason)
                ends.setdefault(end, []).append(suite.vendor)
    for told in test_moments.ELSEWHERE:
        if told.name == name:
            native = ", ".join(told.native) or "none"
            end = (str(told.end), native, str(told.effects), told.in_audit or told.reason)
            ends.setdefault(end, []).append(f"`{told.test}`")
    assert ends, f"no test plays {name!r}"
    return [
        f"| {name} | {', '.join(where)} | `{end[0]}` | {end[1]} | {end[2]} | {end[3]} |"
        for end, where in ends.items()
    ]


def write() -> None:
    """Put the table into the document, between its marks."""
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text("\n".join((before + BEGIN, *lines(), END + after)), "utf-8")


if __name__ == "__main__":
    write()
