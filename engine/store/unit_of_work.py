"""The unit of work: all groups of rows on one connection, in one transaction."""

from engine.store.effects import EffectRows
from engine.store.erasure import ErasureRows
from engine.store.operations import OperationRows
from engine.store.tickets import TicketRows
from engine.store.traces import TraceRows


class SQLUnitOfWork(TicketRows, EffectRows, OperationRows, ErasureRows, TraceRows):
    """The port's `UnitOfWork`; everything in it becomes true at commit, or nothing."""
