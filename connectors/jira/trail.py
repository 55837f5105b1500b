"""What the site's own history says that our account wrote.

The function `updatedBy` finds the issues (Atlassian, "JQL functions reference": it counts creating,
editing, and comments); then the changelog of each tells the fields with their author, and its
comments and attachments name theirs. Votes on an approval stand in no history: whether our account
may answer one, `check` says.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from connectors.jira.client import JiraClient
from connectors.jira.faults import fault_label
from connectors.jira.history import STATUS
from connectors.jira.notes import Notes
from connectors.jira.records import Found, Records, found
from connectors.jira.settings import JiraSettings
from connectors.jira.site import Site
from connectors.jira.transport import RefusedError
from connectors.jira.values import instant, quoted, text_of
from engine.errors import InvalidAnswerError, PreconditionError
from engine.ports.trail import OwnNote, OwnWrite, OwnWrites, WriteKind

MOST = 2000
"""So many issues are read in one go: each costs two requests, on Data Center three."""
_TOLD_EVERY = 50
_DAY = timedelta(days=1)
_MOVES = frozenset({STATUS, "resolution", "resolutiondate"})
_FAULT = "tiergate-fault-"
_LINKS = frozenset({"link", "issuelinks", "remoteissuelink", "remoteworkitemlink"})


class JiraTrail:
    """Reads our account's own trail; it writes nothing."""

    def __init__(self, client: JiraClient, site: Site, settings: JiraSettings) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._settings = settings
        self._records = Records(client, site, settings)
        self._notes = Notes(client, site)

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    @property
    def site(self) -> str:
        """Address and account."""
        return f"{self._settings.url} {self._client.me().id}"

    def fault_key(self, marker: str) -> str:
        """Return the label of the incident in which this fault is told."""
        return fault_label(marker)

    def writes(self, since: datetime, *, told: Callable[[str], None]) -> OwnWrites:
        """Return what our account wrote since then in every issue that it may see.

        Raises:
            PreconditionError: More issues than are read in one go.
        """
        try:
            issues = self._issues(since)
        except RefusedError as error:
            why = f"{self.system}: the issues that our account wrote are not told ({error})"
            return OwnWrites(writes=(), unread=(why,))
        told(f"{self.system}: {len(issues)} issues written by our account")
        writes = list[OwnWrite]()
        for number, one in enumerate(issues, start=1):
            writes += (write for write in self._writes_in(one) if write.at >= since)
            if number % _TOLD_EVERY == 0:
                told(f"{self.system}: {number} of {len(issues)} issues read")
        return OwnWrites(writes=tuple(sorted(writes, key=lambda write: write.at)))

    def _issues(self, since: datetime) -> list[Found]:
        days = max(1, -((since - self._client.server_now()) // _DAY))
        me = quoted(self._client.me().id)
        jql = (
            f'issuekey in updatedBy({me}, "-{days}d")'
            f" OR (creator = currentUser() AND created >= -{days}d) ORDER BY key ASC"
        )
        fields = ("created", "creator", "updated", "labels")
        try:
            hits = self._client.search_all(jql, fields, most=MOST)
        except InvalidAnswerError as error:
            raise PreconditionError(f"{self.system}: {error}: name a later --since") from error
        return [found(hit) for hit in hits]

    def _writes_in(self, one: Found) -> Iterator[OwnWrite]:
        me = self._client.me().identity
        creator = self._client.account(one.fields.get("creator"))
        if creator is not None and creator.identity == me:
            yield _write(one, instant(one.fields.get("created"), "created"), "new")
        # Data Center tells a changelog only with the issue itself.
        whole = one if self._client.is_cloud else self._records.issue(one.id)
        for edit in self._records.history(whole):
            if edit.by is not None and edit.by.identity == me:
                yield _write(one, edit.at, edit.field)
        for note in self._notes.all(one.id):
            if note.author is not None and note.author.identity == me:
                yield _write(one, note.at, "comment")

    def head_notes(self, since: datetime, *, told: Callable[[str], None]) -> tuple[OwnNote, ...]:
        """Return our own comments on changes that hold a signed head."""
        changes = self._settings.changes
        if changes is None:
            return ()
        jql = (
            f"project = {quoted(changes.project)} AND creator = currentUser()"
            f" AND updated >= {round(since.timestamp() * 1000)} ORDER BY key ASC"
        )
        hits = [found(hit) for hit in self._client.search_all(jql, ("updated",), most=MOST)]
        me = self._client.me().identity
        notes = list[OwnNote]()
        for number, one in enumerate(hits, start=1):
            notes += (
                OwnNote(record=one.key, at=note.at, text=note.body)
                for note in self._notes.all(one.id)
                if note.author is not None and note.author.identity == me
            )
            if number % _TOLD_EVERY == 0:
                told(f"{self.system}: {number} of {len(hits)} changes read")
        return tuple(note for note in notes if "tiergate" in note.text)


def _write(one: Found, at: datetime, what: str) -> OwnWrite:
    folded = what.casefold()
    if what == "new":
        kind = WriteKind.CREATE
    elif folded in _MOVES:
        kind = WriteKind.MOVE
    elif folded == "comment":
        kind = WriteKind.NOTE
    elif folded == "attachment":
        kind = WriteKind.FILE
    elif folded in _LINKS:
        kind = WriteKind.LINK
    else:
        kind = WriteKind.FIELD
    held = one.fields.get("labels")
    labels = [text_of(label) for label in held] if isinstance(held, list) else []
    return OwnWrite(
        at=at,
        record=one.key,
        owners=(one.id,),
        kind=kind,
        what=(what,),
        key=next((label for label in labels if label.startswith(_FAULT)), ""),
    )
