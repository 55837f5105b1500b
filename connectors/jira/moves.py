"""Moving an issue along its workflow: by target status, step by step, read back each time.

Transition names are for people and differ per workflow, so a way is chosen by where it leads. An
answer of 204 proves nothing: the status is read again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.jira.client import JiraClient
from connectors.jira.transport import RefusedError
from connectors.jira.values import Payload, listing, mapping, text_of
from engine.errors import OutcomeUnknownError, PreconditionError, TransientError

_HOPS_MOST = 5


class MoveIgnoredError(TransientError):
    """A move was answered with success, and the issue stands where it stood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One native status."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One way out of the present status; `fields` are those of its screen."""

    id: str
    name: str
    to: Status
    fields: Mapping[str, Any]


Wanted = Callable[[Status], bool]
Preference = Callable[[Status], int]


def status_of(bean: object) -> Status:
    """Return a status from its object.

    Raises:
        InvalidAnswerError: It is none.
    """
    found = mapping(bean, "status")
    return Status(id=text_of(found.get("id")), name=text_of(found.get("name")))


class Moves:
    """The transitions of one site's issues, as our account may run them."""

    def __init__(self, client: JiraClient) -> None:
        """Keep the client; no I/O."""
        self._client = client

    def status(self, issue_id: str) -> Status:
        """Return the present status, read directly."""
        bean = mapping(self._client.get(f"issue/{issue_id}", {"fields": "status"}), "issue")
        return status_of(mapping(bean.get("fields"), "issue.fields").get("status"))

    def ways(self, issue_id: str) -> tuple[Transition, ...]:
        """Return the transitions that we may run now."""
        path = f"issue/{issue_id}/transitions"
        bean = mapping(self._client.get(path, {"expand": "transitions.fields"}), path)
        return tuple(_transition(one) for one in listing(bean.get("transitions"), path))

    def walk(
        self,
        issue_id: str,
        *,
        goal: Wanted,
        through: Wanted,
        prefer: Preference = lambda _status: 0,
        resolution: str = "",
    ) -> Status:
        """Move the issue until `goal` holds, by way of statuses that `through` allows.

        Already there: nothing is written.

        Args:
            issue_id: The issue.
            goal: Where it shall stand.
            through: Which statuses it may pass on the way.
            prefer: Among several goals, the smallest number wins.
            resolution: Set where the transition's screen asks for one.

        Raises:
            PreconditionError: No way leads there, or Jira refused it.
            MoveIgnoredError: The move was answered with success and ignored.
        """
        here = self.status(issue_id)
        met = {here.id}
        for _ in range(_HOPS_MOST):
            if goal(here):
                return here
            way = self._choose(issue_id, met, goal=goal, through=through, prefer=prefer)
            if way is None:
                break
            here = self._take(issue_id, way, before=here, resolution=resolution)
            met.add(here.id)
        if goal(here):
            return here
        raise PreconditionError(
            f"{self._client.name} issue {issue_id}: no transition of ours leads on from"
            f" {here.name!r}"
        )

    def _choose(
        self, issue_id: str, met: set[str], *, goal: Wanted, through: Wanted, prefer: Preference
    ) -> Transition | None:
        ways = self.ways(issue_id)
        direct = sorted((way for way in ways if goal(way.to)), key=lambda way: prefer(way.to))
        onward = [way for way in ways if through(way.to) and way.to.id not in met]
        return next(iter([*direct, *onward]), None)

    def _take(self, issue_id: str, way: Transition, *, before: Status, resolution: str) -> Status:
        body: dict[str, Any] = {"transition": {"id": way.id}}
        if resolution and "resolution" in way.fields:
            body["fields"] = {"resolution": {"name": _offered(way.fields, resolution)}}
        try:
            self._client.write("POST", f"issue/{issue_id}/transitions", body, is_repeatable=False)
        except OutcomeUnknownError:
            # The record itself says what became of the move.
            if (here := self.status(issue_id)).id == way.to.id:
                return here
            raise
        except RefusedError as refused:
            if (here := self.status(issue_id)).id == way.to.id:
                return here
            raise PreconditionError(str(refused)) from None
        here = self.status(issue_id)
        if here.id == before.id and way.to.id != before.id:
            raise MoveIgnoredError(
                f"{self._client.name} issue {issue_id}: the move to {way.to.name!r} was answered"
                " with success and ignored"
            )
        return here


def _offered(fields: Payload, wanted: str) -> str:
    """Return the wanted resolution if the screen offers it, else the first that it offers."""
    screen = mapping(fields.get("resolution"), "resolution")
    offered = [text_of(one) for one in listing(screen.get("allowedValues") or [], "resolution")]
    match = next((one for one in offered if one.casefold() == wanted.casefold()), None)
    return match or next(iter(offered), wanted)


def _transition(bean: Payload) -> Transition:
    fields = bean.get("fields")
    return Transition(
        id=text_of(bean.get("id")),
        name=text_of(bean.get("name")),
        to=status_of(bean.get("to")),
        fields=fields if isinstance(fields, Mapping) else {},
    )
