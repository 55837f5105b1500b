"""Mailer: one message, sent at least once, recognisable by its id."""

from dataclasses import dataclass
from typing import Protocol

from engine.ports.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail. `id` becomes the Message-ID, so that a repeated delivery is the same message.

    `body` may hold a secret: it is neither logged nor stored.
    """

    id: str
    to: str
    subject: str
    body: str


class Mailer(Protocol):
    """Sends mail."""

    def send(self, message: Message) -> None:
        """Hand the message to the mail server.

        Raises:
            TransientError: Not accepted now.
            PermanentError: The address was refused.
        """
        ...

    def check(self) -> tuple[Finding, ...]:
        """Return every finding."""
        ...
