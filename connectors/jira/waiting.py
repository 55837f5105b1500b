"""A ticket waits for its change: shown by a status where one can be reached, else by a label."""

from connectors.jira.client import JiraClient
from connectors.jira.history import STATUS
from connectors.jira.links import Links
from connectors.jira.moves import Moves, Status
from connectors.jira.records import Records
from connectors.jira.settings import WaitingSettings
from connectors.jira.values import mapping, text_of
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.ticket import TicketState
from engine.errors import TransientError

_HOLD = "tiergate.hold"


class Waiting:
    """Puts tickets of one site on hold for a change and takes them off again."""

    def __init__(
        self,
        client: JiraClient,
        records: Records,
        moves: Moves,
        links: Links,
        *,
        settings: WaitingSettings,
        link_type: str,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._records = records
        self._moves = moves
        self._links = links
        self._settings = settings
        self._link_type = link_type

    def begin(self, ref: TicketRef, change: ChangeRef) -> None:
        """Link the two, remember where the ticket stood, and show that it waits. Idempotent."""
        if change.system == self._client.name:
            self._links.join(ref.id, change.id, self._link_type)
        else:
            self._links.point(ref.id, url=change.url, title=f"{change.number} ({change.system})")
        here = self._moves.status(ref.id)
        if self._is_waiting(here):
            return
        held = self._links.property(ref.id, _HOLD)
        if held is None or held.get("change") != change.id:
            self._links.put(
                ref.id, _HOLD, {"from": here.id, "change": change.id, "system": change.system}
            )
        if any(self._is_waiting(way.to) for way in self._moves.ways(ref.id)):
            self._moves.walk(ref.id, goal=self._is_waiting, through=lambda _status: False)
        else:
            self._label(ref, add=True)

    def end(self, ref: TicketRef, to: TicketState) -> None:
        """Take the ticket back to where it stood, else to any status that means `to`.

        Left alone: a ticket that is not on hold by us, or that a person moved meanwhile.
        """
        held = self._links.property(ref.id, _HOLD)
        if held is None:
            return
        self._label(ref, add=False)
        here = self._moves.status(ref.id)
        if self._is_waiting(here) and self._was_moved_by_us(ref):
            known = self._records.states
            origin = text_of(held.get("from"))
            ways = self._moves.ways(ref.id)
            is_origin_right = any(
                way.to.id == origin and known.get(way.to.id, way.to.name) is to for way in ways
            )
            self._moves.walk(
                ref.id,
                goal=lambda status: (
                    status.id == origin
                    if is_origin_right
                    else known.get(status.id, status.name) is to
                ),
                through=lambda status: (
                    known.get(status.id, status.name) in {TicketState.NEW, TicketState.IN_PROGRESS}
                ),
            )
        self._links.drop(ref.id, _HOLD)

    def _is_waiting(self, status: Status) -> bool:
        wanted = self._settings.status
        return wanted == status.id or wanted.casefold() == status.name.casefold()

    def _was_moved_by_us(self, ref: TicketRef) -> bool:
        moves = [
            edit
            for edit in self._records.history(self._records.issue(ref.id))
            if edit.field == STATUS
        ]
        mover = moves[-1].by if moves else None
        return mover is not None and mover.identity == self._client.me().identity

    def _label(self, ref: TicketRef, *, add: bool) -> None:
        label = self._settings.label
        if self._has_label(ref) is add:
            return
        verb = "add" if add else "remove"
        self._client.write(
            "PUT",
            f"issue/{ref.id}",
            {"update": {"labels": [{verb: label}]}},
            is_repeatable=True,
        )
        if self._has_label(ref) is not add:
            raise TransientError(f"{ref}: the label {label} was written and ignored")

    def _has_label(self, ref: TicketRef) -> bool:
        bean = mapping(self._client.get(f"issue/{ref.id}", {"fields": "labels"}), "issue")
        labels = mapping(bean.get("fields"), "issue.fields").get("labels") or ()
        return self._settings.label in [text_of(one) for one in labels]
