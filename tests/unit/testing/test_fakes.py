"""The shipped fakes keep their ports' promises where the contract suite does not look."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.classification import ClassifierInput
from engine.domain.refs import Account, Person
from engine.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    PersonUnknownError,
    PreconditionError,
    ProtectedSubjectError,
)
from engine.ports.mailer import Message
from engine.testing.brains import FixedClassifier, FixedTierPolicy, understood
from engine.testing.clocks import START, ManualClock, RecordingWaker
from engine.testing.fulfiller import CATALOGUE, MemoryFulfiller
from engine.testing.interruptions import interrupted
from engine.testing.people import MemoryMailer, MemoryPeople, person
from engine.testing.store import MemoryStore


def directory() -> tuple[MemoryFulfiller, Person]:
    made = MemoryFulfiller("directory", ManualClock())
    made.groups["dba"] = {"entry-own"}
    return made, person("REQ", "Rita", "desk")


def test_a_clock_goes_only_where_it_is_moved() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == START
    clock.advance(timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=1)
    clock.set(START)
    assert clock.now() == START


def test_a_waker_tells_each_handling_once() -> None:
    waker = RecordingWaker()
    for handling in ("a", "b", "a"):
        waker.wake(handling)
    assert waker.take() == ("a", "b")
    assert waker.take() == ()


def test_a_transaction_in_a_transaction_is_refused_at_once() -> None:
    store = MemoryStore()
    with store.begin(), pytest.raises(RuntimeError), store.begin():
        pass


def test_a_failed_transaction_leaves_no_trace() -> None:
    store = MemoryStore()

    def fail() -> None:
        with store.begin() as work:
            work.save_setting("a", "b")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    with store.begin() as work:
        assert work.setting("a") is None


def test_transactions_of_two_threads_wait_for_each_other() -> None:
    store = MemoryStore()

    def count() -> None:
        for _ in range(50):
            with store.begin() as work:
                work.save_setting("n", str(int(work.setting("n") or "0") + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.begin() as work:
        assert work.setting("n") == "200"


def test_a_person_is_found_by_account_and_name_and_never_guessed() -> None:
    rita = person("REQ", "Rita", "desk")
    people = MemoryPeople([rita, person("SUB", "Sam", "desk")])
    assert people.person(rita.accounts[0]) == rita
    assert people.by_name(" rita ") == rita
    with pytest.raises(PersonUnknownError):
        people.by_name("nobody")
    with pytest.raises(PersonUnknownError):
        people.person(Account(system="desk", id="ghost", name="ghost"))
    people.persons.append(replace(rita, key="REQ2"))
    with pytest.raises(PersonUnknownError):
        people.by_name("Rita")


def test_a_message_that_is_sent_again_arrives_once() -> None:
    mailer = MemoryMailer()
    message = Message(id="1@here", to="a@x.test", subject="s", body="b")
    mailer.send(message)
    mailer.send(message)
    assert list(mailer.delivered()) == ["1@here"]
    assert mailer.check()


def test_a_directory_does_takes_back_and_verifies() -> None:
    made, rita = directory()
    bound = made.bind("add_group_member", subject=rita, parameters={"group": "dba"})
    before = made.baseline(bound)
    deadline = START + timedelta(minutes=1)
    made.implement(bound, key="k", baseline=before, deadline=deadline)
    assert made.verify(bound, key="k", baseline=before).is_as_planned
    assert made.back_out(bound, key="k", baseline=before).is_as_planned
    assert not made.verify(bound, key="k", baseline=before).is_as_planned
    assert made.groups["dba"] == {"entry-own"}
    assert made.describe(bound)["group"].facts["members"] == "1"


def test_a_directory_refuses_what_it_must() -> None:
    made, rita = directory()
    bound = made.bind("reset_password", subject=rita, parameters={})
    late = START - timedelta(seconds=1)
    with pytest.raises(PreconditionError):
        made.implement(bound, key="k", baseline={}, deadline=late)
    with pytest.raises(PreconditionError):
        made.back_out(bound, key="k", baseline={})
    with pytest.raises(PreconditionError):
        made.bind("add_group_member", subject=rita, parameters={"group": "none"})
    made.protected.add(rita.directory_id)
    with pytest.raises(ProtectedSubjectError):
        made.bind("reset_password", subject=rita, parameters={})
    with pytest.raises(ProtectedSubjectError):
        made.implement(bound, key="k", baseline={}, deadline=START + timedelta(hours=1))
    assert made.calls == []
    assert made.check()


def test_a_secret_is_derived_from_its_key_and_says_nothing() -> None:
    made, rita = directory()
    bound = made.bind("reset_password", subject=rita, parameters={})
    first, again = made.secret(bound, key="k"), made.secret(bound, key="k")
    assert first == again
    assert first is not None
    assert str(first) == "********"
    assert first.value not in repr(first)
    door = made.bind("open_door", subject=rita, parameters={})
    assert made.secret(door, key="k") is None
    assert set(CATALOGUE) == set(made.catalogue())


def test_a_classifier_knows_what_it_was_told_and_abstains_on_the_rest() -> None:
    classifier = FixedClassifier({"reset": understood("reset_password")})
    texts = [ClassifierInput(short_description=text, description="") for text in ("reset", "lunch")]
    known, unknown = classifier.classify(texts)
    assert known.intent == "reset_password"
    assert (unknown.intent, unknown.abstained is None) == ("", False)


def test_a_map_without_the_action_says_so() -> None:
    policy = FixedTierPolicy()
    with pytest.raises(ConfigurationError):
        policy.target("dance")
    assert policy.digest.startswith("sha256:")


def test_an_interrupted_port_is_told_before_and_after_each_call() -> None:
    points: list[str] = []
    made, _ = directory()
    port = interrupted(made, "directory", points.append)
    assert port.system == "directory"
    port.check()
    assert points == ["before directory.check", "after directory.check"]


def test_what_the_watch_raises_stops_the_call() -> None:
    def refuse(point: str) -> None:
        raise OutcomeUnknownError(point)

    mailer = MemoryMailer()
    with pytest.raises(OutcomeUnknownError):
        interrupted(mailer, "mailer", refuse).send(Message(id="1", to="", subject="", body=""))
    assert mailer.sent == []
