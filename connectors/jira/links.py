"""Links between issues, to records of other systems, and our own entity properties on issues."""

import hashlib
from collections.abc import Mapping
from typing import Any

from connectors.jira.client import JiraClient
from connectors.jira.values import listing, mapping, text_of
from engine.errors import InvalidAnswerError, OutcomeUnknownError


class Links:
    """Links and properties of one site's issues; every write may be repeated."""

    def __init__(self, client: JiraClient) -> None:
        """Keep the client; no I/O."""
        self._client = client

    # --- links

    def linked(self, issue_id: str) -> frozenset[str]:
        """Return the ids of the issues that an issue is linked to; a direct, consistent read."""
        bean = mapping(self._client.get(f"issue/{issue_id}", {"fields": "issuelinks"}), "issue")
        fields = mapping(bean.get("fields"), "issue.fields")
        found: set[str] = set()
        for link in listing(fields.get("issuelinks") or [], "issuelinks"):
            for side in ("inwardIssue", "outwardIssue"):
                if isinstance(link.get(side), Mapping):
                    found.add(text_of(link[side].get("id")))
        return frozenset(found)

    def linked_by(self, issue_id: str, kind: str) -> tuple[str, ...]:
        """Return the ids of the issues that an issue is linked to by links of one type."""
        bean = mapping(self._client.get(f"issue/{issue_id}", {"fields": "issuelinks"}), "issue")
        fields = mapping(bean.get("fields"), "issue.fields")
        found: dict[str, None] = {}
        for link in listing(fields.get("issuelinks") or [], "issuelinks"):
            if text_of(mapping(link.get("type"), "issuelinks.type").get("name")) != kind:
                continue
            for side in ("inwardIssue", "outwardIssue"):
                if isinstance(link.get(side), Mapping):
                    found[text_of(link[side].get("id"))] = None
        return tuple(found)

    def join(self, issue_id: str, other_id: str, kind: str) -> None:
        """Link two issues once; read back.

        Raises:
            InvalidAnswerError: Jira said yes and there is no link.
        """
        if other_id in self.linked(issue_id):
            return
        body = {
            "type": {"name": kind},
            "inwardIssue": {"id": issue_id},
            "outwardIssue": {"id": other_id},
        }
        try:
            # A second link of the same kind between the same issues is not made.
            self._client.write("POST", "issueLink", body, is_repeatable=True)
        except OutcomeUnknownError:
            if other_id in self.linked(issue_id):
                return
            raise
        if other_id not in self.linked(issue_id):
            raise InvalidAnswerError(
                f"{self._client.name} issue {issue_id}: the link to {other_id} was not made"
            )

    def point(self, issue_id: str, *, url: str, title: str) -> None:
        """Link an issue to a page elsewhere once: the global id makes a second write an update."""
        known = hashlib.sha256(url.encode()).hexdigest()[:32]
        body = {
            "globalId": f"tiergate={known}",
            "application": {"type": "tiergate", "name": "Tiergate"},
            "relationship": "waits for",
            "object": {"url": url, "title": title},
        }
        self._client.write("POST", f"issue/{issue_id}/remotelink", body, is_repeatable=True)

    # --- properties

    def property(self, issue_id: str, key: str) -> Mapping[str, Any] | None:
        """Return the value of an entity property, read directly; None where there is none."""
        bean = self._client.find(f"issue/{issue_id}/properties/{key}")
        if bean is None:
            return None
        value = mapping(bean, "property").get("value")
        return value if isinstance(value, Mapping) else {}

    def properties(self, issue_id: str) -> frozenset[str]:
        """Return the keys of all entity properties of an issue."""
        bean = mapping(self._client.get(f"issue/{issue_id}/properties"), "properties")
        return frozenset(text_of(one.get("key")) for one in listing(bean.get("keys"), "keys"))

    def put(
        self, issue_id: str, key: str, value: Mapping[str, Any], *, is_repeatable: bool = True
    ) -> bool:
        """Write an entity property; return whether it is new (201), as only the answer can say.

        Raises:
            OutcomeUnknownError: No answer came. A repeated write would find its own first try, so
                a caller who needs to know whether it is new must not have it repeated.
        """
        path = f"issue/{issue_id}/properties/{key}"
        response = self._client.write("PUT", path, dict(value), is_repeatable=is_repeatable)
        return response.status_code == 201  # noqa: PLR2004  created; 200 says it was there

    def drop(self, issue_id: str, key: str) -> None:
        """Remove an entity property if it is there."""
        if self.property(issue_id, key) is not None:
            path = f"issue/{issue_id}/properties/{key}"
            self._client.write("DELETE", path, None, is_repeatable=True)
