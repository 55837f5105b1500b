"""What a decision rests on: persons, the bound action, and the documents that rules may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from engine.domain.action import BoundAction, BoundTarget, ParameterKind
from engine.domain.canonical import JSON
from engine.domain.classification import Classification
from engine.domain.decision import DecisionFacts
from engine.domain.handling import Handling
from engine.domain.refs import Account, Person
from engine.domain.ticket import Ticket
from engine.errors import (
    ConfigurationError,
    PersonUnknownError,
    PreconditionError,
    ProtectedSubjectError,
)
from engine.ports.store import UnitOfWork
from engine.service import takeover
from engine.service.world import Services

SUBJECT = "subject"
"""The parameter, variable and plan word for whose account an action touches."""

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Everything known; `doubt` is the sentence why no automation may follow, else ""."""

    requester: Person | None
    subject: Person | None
    bound: BoundAction | None
    facts: DecisionFacts
    doubt: str = ""


class _DoubtError(Exception):
    """A fact that hands the ticket over; never leaves this module."""


_FOUND_WANTING = (
    _DoubtError,
    PersonUnknownError,
    ProtectedSubjectError,
    PreconditionError,
    ConfigurationError,
)


@dataclass(slots=True)
class _Joined:
    """What was known when a doubt stopped the joining: kept, so that people can read it."""

    requester: Person | None = None
    subject: Person | None = None
    bound: BoundAction | None = None

    def join(
        self,
        services: Services,
        handling: Handling,
        ticket: Ticket,
        classification: Classification,
    ) -> None:
        """Find the persons and bind the action.

        Raises:
            _DoubtError: And the four errors that say no to this ticket alone.
        """
        if not classification.intent:
            raise _DoubtError(classification.abstained_because or "no action fits this ticket")
        self.requester = _requester(services, ticket)
        if takeover.is_undo(handling) and handling.subject is not None:
            self.subject = services.people.person(account_of(handling, handling.subject))
        else:
            self.subject = _subject(services, ticket, classification, self.requester)
        self.bound = bind(
            services, classification.intent, self.subject, _parameters(classification)
        )


def gather(
    services: Services, handling: Handling, ticket: Ticket, classification: Classification
) -> Gathered:
    """Join persons, bind the action and build the facts; a doubt is kept, never raised."""
    joined = _Joined()
    doubt = ""
    try:
        joined.join(services, handling, ticket, classification)
    except _FOUND_WANTING as error:
        doubt = str(error)
    requester, subject, bound = joined.requester, joined.subject, joined.bound
    facts = DecisionFacts(
        action=classification.intent,
        confidence=_confidence(classification),
        is_authenticated=bool(requester) and _is_authenticated(services, ticket, requester),
        subject_is_requester=bool(requester and subject and requester.key == subject.key),
        ticket=ticket_document(ticket),
        requester=person_document(requester),
        subject=person_document(subject),
        params=parameter_documents(bound),
        uses=uses(services, bound),
        ticket_created_at=ticket.created_at,
        at=services.now(),
    )
    return Gathered(requester=requester, subject=subject, bound=bound, facts=facts, doubt=doubt)


def _confidence(classification: Classification) -> float:
    """The intent is as sure as its least sure parameter."""
    guesses = (guess.confidence for guess in classification.parameters.values())
    return min((classification.confidence, *guesses))


def _requester(services: Services, ticket: Ticket) -> Person:
    if ticket.requester is None:
        raise _DoubtError("the ticket names no requester")
    return services.people.person(ticket.requester)


def _subject(
    services: Services, ticket: Ticket, classification: Classification, requester: Person
) -> Person:
    """Whose account it is: the record's word and the text's must agree, and the map must allow it.

    Raises:
        _DoubtError: They name different people, or somebody else where only the requester may be.
        PersonUnknownError: A name that stands for nobody, or for several.
    """
    named: list[Person] = []
    if ticket.subject is not None:
        named.append(services.people.person(ticket.subject))
    guess = classification.parameters.get(SUBJECT)
    if guess is not None and guess.value.strip():
        named.append(services.people.by_name(guess.value))
    if len({person.key for person in named}) > 1:
        raise _DoubtError("the record and the text name different people")
    subject = named[0] if named else requester
    rule = services.policy.subject_rule(classification.intent)
    if rule == "requester" and subject.key != requester.key:
        raise _DoubtError("asked for somebody else's account, which this action never touches")
    return subject


def _parameters(classification: Classification) -> Mapping[str, str]:
    return {
        name: guess.value for name, guess in classification.parameters.items() if name != SUBJECT
    }


def bind(
    services: Services, action: str, subject: Person, parameters: Mapping[str, str]
) -> BoundAction:
    """Resolve subject and parameters at the target that the tier map names; nothing is changed.

    Raises:
        PreconditionError: The target has no such action, or lacks a required parameter.
        ProtectedSubjectError: The target refuses this subject or group.
    """
    fulfiller = services.fulfiller(services.policy.target(action))
    spec = fulfiller.catalogue().get(action)
    if spec is None:
        raise PreconditionError(f"{fulfiller.system} cannot carry out {action}")
    for parameter in spec.parameters:
        is_named = parameter.name == SUBJECT or parameters.get(parameter.name, "").strip()
        if parameter.is_required and not is_named:
            raise PreconditionError(f"{action} needs {parameter.name}, which the ticket lacks")
    known = {parameter.name for parameter in spec.parameters}
    wanted = {name: text for name, text in parameters.items() if name in known and text.strip()}
    return fulfiller.bind(action, subject=subject, parameters=wanted)


def rebind(services: Services, bound: BoundAction, subject: Person) -> BoundAction:
    """Return the same action as its target stands today: its facts may have changed since.

    Raises:
        PreconditionError: A name stands for nothing by now, or for another thing than was planned.
        ProtectedSubjectError: The target refuses this subject or group by now.
    """
    names = {name: target.name for name, target in bound.targets.items()}
    today = bind(services, bound.action, subject, {**bound.values, **names})
    for name, target in bound.targets.items():
        if today.targets[name].id != target.id:
            raise PreconditionError(
                f"{target.name} is another {target.kind} by now than the one that was planned"
            )
    return today


def _is_authenticated(services: Services, ticket: Ticket, requester: Person | None) -> bool:
    """Creator and requester are one person, and the channel proves it."""
    allowed = services.settings.allowed_channels.get(ticket.ref.system, frozenset[str]())
    if requester is None or ticket.creator is None or ticket.channel not in allowed:
        return False
    try:
        return services.people.person(ticket.creator).key == requester.key
    except PersonUnknownError:
        return False  # a session of nobody we know authenticates nobody


def account_of(handling: Handling, person: Person) -> Account:
    """Return an account by which the person is read afresh, best one of the ticket's system.

    Raises:
        PersonUnknownError: The person has no account left.
    """
    known = person.account_in(handling.ticket.system)
    if known is not None:
        return known
    if not person.accounts:
        raise PersonUnknownError(f"{person.name} has no account left")
    return person.accounts[0]


def person_document(person: Person | None) -> Mapping[str, JSON]:
    """Return what rules may ask of a person; empty when there is none, so that rules doubt."""
    if person is None:
        return {}
    return {**person.facts, "key": person.key, "name": person.name}


def ticket_document(ticket: Ticket) -> Mapping[str, JSON]:
    """Return what rules may ask of a ticket: facts of the record, none of its words."""
    return {
        "system": ticket.ref.system,
        "kind": str(ticket.ref.kind),
        "channel": ticket.channel,
        "catalog_item": ticket.catalog_item,
        "catalog_item_name": ticket.catalog_item_name,
        "group": ticket.group,
        "major_incident": ticket.is_major_incident,
        "security": ticket.is_security,
    }


def parameter_documents(bound: BoundAction | None) -> Mapping[str, JSON]:
    """Return the bound targets and values as rules name them."""
    if bound is None:
        return {}
    documents: dict[str, JSON] = dict(bound.values)
    for name, target in bound.targets.items():
        documents[name] = _target_document(target)
    return documents


def _target_document(target: BoundTarget) -> Mapping[str, JSON]:
    typed: dict[str, JSON] = {
        name: _TRUTH.get(text.strip().lower(), text) for name, text in target.facts.items()
    }
    return {**typed, "id": target.id, "name": target.name}


def uses(services: Services, bound: BoundAction | None) -> Mapping[str, int]:
    """Return how often this action ran lately, for the map's limits."""
    if bound is None:
        return {"subject_day": 0, "overall_hour": 0}
    with services.store.begin() as work:
        return uses_in(work, services, bound)


def uses_in(work: UnitOfWork, services: Services, bound: BoundAction) -> Mapping[str, int]:
    """Count within the transaction that may add one more."""
    now = services.now()
    return {
        "subject_day": work.count_effects(
            action=bound.action, since=now - timedelta(days=1), subject=bound.subject.id
        ),
        "overall_hour": work.count_effects(action=bound.action, since=now - timedelta(hours=1)),
    }


def end_of(services: Services, bound: BoundAction) -> str:
    """Return the text of the action's end date, "" when it has none."""
    spec = services.fulfiller(bound.system).catalogue()[bound.action]
    dates = [item.name for item in spec.parameters if item.kind is ParameterKind.DATE]
    return next((bound.values[name] for name in dates if bound.values.get(name)), "")
