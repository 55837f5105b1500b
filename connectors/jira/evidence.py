"""Evidence on an issue, attached once."""

from connectors.jira.client import JiraClient
from connectors.jira.values import listing, mapping, text_of
from engine.domain.refs import ChangeRef
from engine.errors import OutcomeUnknownError, TransientError


def attach(
    client: JiraClient, ref: ChangeRef, *, name: str, content: bytes, content_type: str
) -> None:
    """Attach evidence once: a file of this name by our own account is not written again.

    Raises:
        OutcomeUnknownError: The answer was lost and the file cannot be seen yet.
        TransientError: It was taken and is not there.
    """
    if _is_attached(client, ref, name):
        return
    try:
        client.upload(f"issue/{ref.id}/attachments", name, content, content_type)
    except OutcomeUnknownError:
        if not _is_attached(client, ref, name):
            raise
    if not _is_attached(client, ref, name):
        raise TransientError(f"{ref}: the attachment {name} was taken and is not there")


def _is_attached(client: JiraClient, ref: ChangeRef, name: str) -> bool:
    bean = mapping(client.get(f"issue/{ref.id}", {"fields": "attachment"}), "issue")
    held = mapping(bean.get("fields"), "issue.fields").get("attachment") or []
    me = client.me()
    return any(
        text_of(one.get("filename")) == name
        and (author := client.account(one.get("author"))) is not None
        and author.identity == me.identity
        for one in listing(held, "attachment")
    )
