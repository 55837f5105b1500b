"""Comments: internal by default, written once, found again by a marker that nobody else can set.

In a service project a comment is public unless a property says otherwise, so every note is checked
after it was written; one that turns out public is taken back at once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.jira.client import JiraClient
from connectors.jira.site import REQUEST_TYPE, Site
from connectors.jira.values import TEXT_MOST, Payload, instant, listing, mapping, text_of
from engine.domain.refs import Account
from engine.domain.ticket import RunNow
from engine.errors import DoesNotFitError, MissingRightError, OutcomeUnknownError

# To stop us must be easy: a forgotten colon does not let us go on; a release is exact.
HOLD = re.compile(
    r"^\s*tiergate(?:\s*[:,]?\s*(?=hold)|:\s*)(hold|release)\b", re.IGNORECASE | re.MULTILINE
)
RUN_NOW = re.compile(r"^\s*tiergate:\s*(run now)\b", re.IGNORECASE | re.MULTILINE)
_INTERNAL = "sd.public.comment"
_MARKER = "tiergate.marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment; `written_by` is None where somebody else changed it afterwards.

    `is_internal` is None where only a further request can tell (Data Center).
    """

    id: str
    author: Account | None
    written_by: Account | None
    at: datetime
    body: str
    is_internal: bool | None
    marker: str | None


class Notes:
    """The comments of one site's issues."""

    def __init__(self, client: JiraClient, site: Site) -> None:
        """Keep the client; no I/O."""
        self._client = client
        self._site = site

    def all(self, issue_id: str) -> Iterator[Comment]:
        """Yield all comments that we may read, oldest first."""
        path = f"issue/{issue_id}/comment"
        params = {"orderBy": "created", "expand": "properties", "maxResults": 100}
        for bean in self._client.pages(path, "comments", params):
            yield self._comment(bean)

    def _comment(self, bean: Payload) -> Comment:
        author = self._client.account(bean.get("author"))
        editor = self._client.account(bean.get("updateAuthor")) or author
        properties = bean.get("properties")
        held = (
            {text_of(one.get("key")): one.get("value") for one in listing(properties, "properties")}
            if isinstance(properties, list)
            else None
        )
        return Comment(
            id=text_of(bean.get("id")),
            author=author,
            written_by=author if editor == author else None,
            at=instant(bean.get("updated") or bean.get("created"), "comment.updated"),
            body=text_of(bean.get("body")),
            is_internal=_is_internal(bean, held),
            marker=None if held is None else _marker(held.get(_MARKER)),
        )

    def find(self, issue_id: str, marker: str) -> Comment | None:
        """Return our own comment that carries this marker."""
        me = self._client.me()
        for one in self.all(issue_id):
            if one.author is None or one.author.identity != me.identity:
                continue
            known = one.marker if one.marker is not None else self._read_marker(one.id)
            if known == marker:
                return one
        return None

    def _read_marker(self, comment_id: str) -> str:
        """Return the marker of a comment on a site that does not expand properties."""
        found = self._client.find(f"comment/{comment_id}/properties/{_MARKER}")
        return "" if found is None else _marker(mapping(found, "property").get("value"))

    def spoken(
        self, issue_id: str, words: re.Pattern[str]
    ) -> Iterator[tuple[Comment, re.Match[str]]]:
        """Yield the internal notes of other people that hold these words, oldest first.

        A note that somebody else changed afterwards has no certain author, and one that customers
        can read may be theirs: neither counts.
        """
        me = self._client.me()
        is_hidden: Callable[[str], bool] | None = None
        for one in self.all(issue_id):
            said = words.search(one.body)
            if said is None or one.written_by is None or one.written_by.identity == me.identity:
                continue
            if one.is_internal is not True and is_hidden is None:
                is_hidden = self.hidden(issue_id)
            if one.is_internal is True or (is_hidden is not None and is_hidden(one.id)):
                yield one, said

    def is_held(self, issue_id: str, reporter: Account | None) -> bool:
        """Whether the last word of an agent on holding is hold; who asks has no say in it."""
        words = [
            said[1].lower()
            for one, said in self.spoken(issue_id, HOLD)
            if reporter is None
            or one.written_by is None
            or one.written_by.identity != reporter.identity
        ]
        return bool(words) and words[-1] == "hold"

    def run_now(self, issue_id: str) -> RunNow | None:
        """Return the newest internal note that asks to run the plan now."""
        found = [one for one, _ in self.spoken(issue_id, RUN_NOW)]
        if not found:
            return None
        last = found[-1]
        return RunNow(id=f"comment-{last.id}", by=last.written_by, at=last.at)

    def add(self, issue_id: str, text: str, *, marker: str, is_public: bool) -> None:
        """Add a comment once.

        Raises:
            DoesNotFitError: It is longer than a comment may be.
            MissingRightError: The note would have been readable for customers; it was taken back.
        """
        if len(text) > TEXT_MOST:
            raise DoesNotFitError(f"comment: {len(text)} characters, it holds {TEXT_MOST}")
        if self.find(issue_id, marker) is not None:
            return
        body = {
            "body": text,
            "properties": [
                {"key": _MARKER, "value": {"marker": marker}},
                {"key": _INTERNAL, "value": {"internal": not is_public}},
            ],
        }
        try:
            response = self._client.write(
                "POST", f"issue/{issue_id}/comment", body, is_repeatable=False
            )
            written = self._comment(mapping(self._client.body(response), "comment"))
        except OutcomeUnknownError:
            found = self.find(issue_id, marker)
            if found is None:
                raise
            written = found
        if not is_public:
            self._require_internal(issue_id, written)

    def _require_internal(self, issue_id: str, written: Comment) -> None:
        if self._is_internal(issue_id, written):
            return
        self._client.write(
            "DELETE", f"issue/{issue_id}/comment/{written.id}", None, is_repeatable=True
        )
        raise MissingRightError(
            f"{self._client.name} issue {issue_id}: an internal note came out public and was taken"
            " back; the account needs an agent licence of the service project"
        )

    def _is_internal(self, issue_id: str, one: Comment) -> bool:
        return one.is_internal is True or self.hidden(issue_id)(one.id)

    def hidden(self, issue_id: str) -> Callable[[str], bool]:
        """Return which comments (by id) customers cannot see; a plain issue has no customers."""
        if not self._is_request(issue_id):
            return lambda _id: True
        pages = self._client.desk_pages(f"request/{issue_id}/comment")
        shown = {text_of(one.get("id")): one.get("public") is not False for one in pages}
        return lambda comment_id: shown.get(comment_id) is False

    def _is_request(self, issue_id: str) -> bool:
        origin = self._site.custom(REQUEST_TYPE)
        if origin is None:
            return False
        bean = mapping(self._client.get(f"issue/{issue_id}", {"fields": origin.id}), "issue")
        return mapping(bean.get("fields"), "issue.fields").get(origin.id) is not None


def _marker(value: object) -> str:
    return text_of(mapping(value, "marker").get("marker")) if value is not None else ""


def _is_internal(bean: Payload, held: Mapping[str, object] | None) -> bool | None:
    public = bean.get("jsdPublic")
    if isinstance(public, bool):
        return not public
    value = None if held is None else held.get(_INTERNAL)
    if value is not None:
        return mapping(value, _INTERNAL).get("internal") is True
    return None
