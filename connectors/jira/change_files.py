"""What stands around a change in Jira: its evidence, and who watches it."""

from collections.abc import Sequence

from connectors.jira.client import JiraClient
from connectors.jira.values import listing, mapping, text_of
from engine.domain.refs import ChangeRef
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    OutcomeUnknownError,
    TransientError,
)

_NAMES = ("accountId", "name", "key")
"""What may name a user: the account id on Cloud, the user name or key on Data Center."""


class ChangeFiles:
    """Attaches evidence to changes of one site, and adds watchers to them."""

    def __init__(self, client: JiraClient) -> None:
        """Keep the client; no I/O."""
        self._client = client

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once: a file of this name by our own account is not written again.

        Raises:
            TransientError: It was taken and is not there (yet).
        """
        if self._is_attached(ref, name):
            return
        try:
            self._client.upload(f"issue/{ref.id}/attachments", name, content, content_type)
        except OutcomeUnknownError:
            if not self._is_attached(ref, name):
                raise
        if not self._is_attached(ref, name):
            raise TransientError(f"{ref}: the attachment {name} was taken and is not there")

    def _is_attached(self, ref: ChangeRef, name: str) -> bool:
        bean = mapping(self._client.get(f"issue/{ref.id}", {"fields": "attachment"}), "issue")
        held = mapping(bean.get("fields"), "issue.fields").get("attachment") or []
        me = self._client.me()
        return any(
            text_of(one.get("filename")) == name
            and (author := self._client.account(one.get("author"))) is not None
            and author.identity == me.identity
            for one in listing(held, "attachment")
        )

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Add watchers that are missing; read back.

        Raises:
            MissingRightError: The account may not manage watchers, or one of them may not see it.
            AuthenticationError: The account is refused as such.
            RecordNotFoundError: Jira knows no such user.
            InvalidAnswerError: Jira said yes and one of them does not watch.
        """
        missing = [one for one in who if one not in self._watching(ref)]
        for one in missing:
            self._add(ref, one)
        if missing and (lost := set(missing) - self._watching(ref)):
            raise InvalidAnswerError(f"{ref}: {len(lost)} watchers were taken and do not watch")

    def _add(self, ref: ChangeRef, one: str) -> None:
        try:
            # A watcher that is added twice watches once.
            self._client.write("POST", f"issue/{ref.id}/watchers", one, is_repeatable=True)
        except AuthenticationError:
            # Data Center says 401 here of a right that we, or the watcher, lack. Whether it is our
            # credentials after all, the account itself tells.
            self._client.verify_session()
            raise MissingRightError(
                f"{ref}: {one} may not be added to its watchers: he may not see it, or our account"
                " may not manage watchers"
            ) from None

    def _watching(self, ref: ChangeRef) -> frozenset[str]:
        bean = mapping(self._client.get(f"issue/{ref.id}/watchers"), "watchers")
        found = listing(bean.get("watchers") or [], "watchers.watchers")
        return frozenset(text_of(one.get(name)) for one in found for name in _NAMES)
