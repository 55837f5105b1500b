"""The daemon's own faults: one incident and one mail each, closed again when it works."""

import hashlib
from collections.abc import Callable

from engine.errors import TiergateError
from engine.ports.mailer import Message
from engine.service.world import Services, Template

INSTALLATION = "installation"
"""The chain of what concerns no single ticket."""
_OPEN, _MENDED = "open", "mended"


def tell(services: Services, name: str, why: str) -> None:
    """Open or update the one incident of this fault, and send one mail when it is news.

    That it stands is committed first, so that a crash leaves an update and never a second mail's
    worth of news. The incident is found by its marker, the mail by its id.

    Raises:
        TiergateError: Neither way of telling worked; the caller tries again later.
    """
    is_news = _stand(services, name, _OPEN)
    facts = {"name": name, "why": why}
    text = services.renderer.render(Template.FAULT_INCIDENT, facts)
    _try_each(
        lambda: _open_incident(services, name, text),
        lambda: _send(services, name, facts) if is_news else None,
    )


def mend(services: Services, name: str) -> None:
    """Close the incident of a fault that is over; nothing happens if none stood."""
    if not _stand(services, name, _MENDED):
        return
    if system := services.settings.fault_system:
        text = services.renderer.render(Template.FAULT_MENDED, {"name": name, "why": ""})
        services.desks[system].close_fault(text, marker=marker(services, name))


def standing(services: Services, name: str) -> bool:
    """Whether this fault was told and not mended since."""
    with services.store.begin() as work:
        return (work.setting(_setting(name)) or "").startswith(_OPEN)


def marker(services: Services, name: str) -> str:
    """Return the key under which the incident of a fault is found again."""
    return f"tiergate-fault-{services.settings.installation}-{_hash(name)}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _setting(name: str) -> str:
    return f"fault:{_hash(name)}"


def _stand(services: Services, name: str, state: str) -> bool:
    """Store that the fault stands or is over; return whether that is news."""
    now = services.now()
    with services.store.begin() as work:
        before = work.setting(_setting(name)) or _MENDED
        if before.startswith(state):
            return False
        work.save_setting(_setting(name), f"{state} {now.isoformat()}")
        work.record(
            chain=INSTALLATION,
            event=f"fault_{state}",
            actor="tiergate",
            at=now,
            body={"name": name},
        )
    return True


def _open_incident(services: Services, name: str, text: str) -> None:
    if system := services.settings.fault_system:
        title = f"Tiergate: {name} fails"
        services.desks[system].open_fault(title, text, marker=marker(services, name))


def _send(services: Services, name: str, facts: dict[str, str]) -> None:
    subject, _, body = services.renderer.render(Template.FAULT_MAIL, facts).partition("\n")
    stamp = f"{services.now():%Y%m%dT%H%M%S}"
    for number, to in enumerate(services.settings.fault_mail, start=1):
        services.mailer.send(
            Message(
                id=f"{marker(services, name)}-{stamp}-{number}@{services.settings.installation}",
                to=to,
                subject=subject.strip(),
                body=body.lstrip("\n"),
            )
        )


def _try_each(*ways: Callable[[], None]) -> None:
    """Try every way of telling; an error of one does not keep the others from it."""
    errors: list[TiergateError] = []
    for way in ways:
        try:
            way()
        except TiergateError as error:
            errors.append(error)
    if errors:
        raise errors[0]
