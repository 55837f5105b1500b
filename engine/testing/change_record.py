"""One change of the memory system, with everything that stands around it."""

from dataclasses import dataclass, field
from datetime import datetime

from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeState,
    CloseCode,
    FieldEdit,
)
from engine.domain.decision import Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.testing.desk import Written


@dataclass(slots=True, kw_only=True)
class ChangeRecord:
    """One change with everything that stands around it."""

    ref: ChangeRef
    draft: ChangeDraft
    text: PlanText
    window: Window
    correlation_id: str
    opened_at: datetime
    updated_at: datetime
    state: ChangeState = ChangeState.NEW
    chain: ChainState = ChainState.NOT_STARTED
    rollup: ApprovalState = ApprovalState.NOT_REQUESTED
    moved_by: Account | None = None
    is_on_hold: bool = False
    reason: str = ""
    unmapped: str = ""
    close_code: CloseCode | None = None
    close_notes: str = ""
    version: int = 1
    rows: list[ApprovalRow] = field(default_factory=list[ApprovalRow])
    history: list[FieldEdit] = field(default_factory=list[FieldEdit])
    notes: list[Written] = field(default_factory=list[Written])
    watchers: list[str] = field(default_factory=list[str])
    attachments: dict[str, bytes] = field(default_factory=dict[str, bytes])
    links: list[TicketRef] = field(default_factory=list[TicketRef])
    claims: dict[str, str] = field(default_factory=dict[str, str])
    actual_start: datetime | None = None
    actual_end: datetime | None = None
