"""Puts the mailer together; nothing here talks to the server."""

from connectors.smtp.mailer import SMTPMailer
from connectors.smtp.settings import SMTPSettings
from engine.ports.clock import Clock


def build(settings: SMTPSettings, clock: Clock) -> SMTPMailer:
    """Return the mailer of the configured server."""
    return SMTPMailer(settings, clock)
