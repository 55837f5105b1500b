"""The daemon's own faults: one incident and one mail each, closed again when it works."""

import hashlib
from collections.abc import Callable
from functools import partial

from engine.errors import AuthenticationError, TiergateError, TransientError
from engine.ports.mailer import Message
from engine.ports.store import UnitOfWork
from engine.service.world import Services, Template

INSTALLATION = "installation"
"""The chain of what concerns no single ticket."""
_OPEN, _TOLD, _MENDED = "open", "told", "mended"


def tell(services: Services, name: str, why: str) -> None:
    """Open or update the one incident of this fault, and send its one mail.

    Since when it stands is committed first, and that the mail was taken after it: a crash in
    between sends the same message again, by the same id. The incident is found by its marker.

    Raises:
        TiergateError: One way of telling did not work; the caller tries again later.
    """
    since, is_told = _stand(services, name)
    facts = {"name": name, "why": why}
    text = services.renderer.render(Template.FAULT_INCIDENT, facts)
    for error in _tried(
        lambda: _open_incident(services, name, text),
        lambda: None if is_told else _send_all(services, name, facts, since),
    ):
        raise error


def mend(services: Services, name: str) -> None:
    """Close the incident of a fault that is over; nothing happens if none stood.

    That it is over is stored after that: a crash in between closes the incident again.

    Raises:
        TiergateError: The incident could not be closed; the caller tries again later.
    """
    if not standing(services, name):
        return
    if system := services.settings.fault_system:
        text = services.renderer.render(Template.FAULT_MENDED, {"name": name, "why": ""})
        services.desks[system].close_fault(text, marker=marker(services, name))
    _mended(services, name)


def standing(services: Services, name: str) -> bool:
    """Whether this fault was told and not mended since."""
    with services.store.begin() as work:
        return (work.setting(_setting(name)) or _MENDED) != _MENDED


def marker(services: Services, name: str) -> str:
    """Return the key under which the incident of a fault is found again."""
    return f"tiergate-fault-{services.settings.installation}-{_hash(name)}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _setting(name: str) -> str:
    return f"fault:{_hash(name)}"


def _stand(services: Services, name: str) -> tuple[str, bool]:
    """Store that the fault stands; return since when, and whether its mail was taken."""
    with services.store.begin() as work:
        state, _, since = (work.setting(_setting(name)) or _MENDED).partition(" ")
        if state != _MENDED:
            return since, state == _TOLD
        since = f"{services.now():%Y%m%dT%H%M%S}"
        work.save_setting(_setting(name), f"{_OPEN} {since}")
        _record(services, work, name, "fault_open")
    return since, False


def _mended(services: Services, name: str) -> None:
    """Store that the fault is over, once."""
    with services.store.begin() as work:
        if (work.setting(_setting(name)) or _MENDED) == _MENDED:
            return
        work.save_setting(_setting(name), _MENDED)
        _record(services, work, name, "fault_mended")


def _record(services: Services, work: UnitOfWork, name: str, event: str) -> None:
    at = services.now()
    work.record(chain=INSTALLATION, event=event, actor="tiergate", at=at, body={"name": name})


def _open_incident(services: Services, name: str, text: str) -> None:
    if system := services.settings.fault_system:
        title = f"Tiergate: {name} fails"
        services.desks[system].open_fault(title, text, marker=marker(services, name))


def _send_all(services: Services, name: str, facts: dict[str, str], since: str) -> None:
    subject, _, body = services.renderer.render(Template.FAULT_MAIL, facts).partition("\n")
    messages = [
        Message(
            id=f"{marker(services, name)}-{since}-{number}@{services.settings.installation}",
            to=to,
            subject=subject.strip(),
            body=body.lstrip("\n"),
        )
        for number, to in enumerate(services.settings.fault_mail, start=1)
    ]
    errors = _tried(*(partial(services.mailer.send, message) for message in messages))
    if not any(isinstance(error, TransientError | AuthenticationError) for error in errors):
        # An address that is refused for good is refused the next time too: others were told.
        with services.store.begin() as work:
            work.save_setting(_setting(name), f"{_TOLD} {since}")
    for error in errors:
        raise error


def _tried(*ways: Callable[[], None]) -> list[TiergateError]:
    """Try every way of telling; an error of one does not keep the others from it."""
    errors: list[TiergateError] = []
    for way in ways:
        try:
            way()
        except TiergateError as error:
            errors.append(error)
    return errors
