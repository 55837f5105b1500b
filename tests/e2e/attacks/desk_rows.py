"""The attacks on the desk gate that every system must stand, played by that system's own hands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic

from engine.domain.stage import Stage
from tests.e2e.attacks.desk import FOR_LUKE, NOTE, STATE, O, attack_the_desk, codes
from tests.e2e.attacks.scene import REMOTE, Attack, Play

AGENT, OTHER_AGENT, OUTSIDER, DAEMON = "luke.wilson", "ada.tuter", "hugo.lindt", "tiergate"


@dataclass(frozen=True, kw_only=True)
class Hands(Generic[O]):
    """What people do to a ticket in one system, each under a person's own account.

    Attributes:
        note, comment: These words where only agents read them, and where customers do.
        move: The state that accepts.
        empower: Let somebody work on tickets who is not of the group that decides.
        join: Into the group that decides.
        remake: Delete the group that decides, and make it anew with its members.
        spoil: An administrator spoils the note with the plan.
    """

    note: Callable[[Play[O], str, str], None]
    comment: Callable[[Play[O], str, str], None]
    move: Callable[[Play[O], str], None]
    empower: Callable[[Play[O], str], None]
    join: Callable[[Play[O], str], None]
    remake: Callable[[Play[O]], None]
    spoil: Callable[[Play[O]], None]


@dataclass(frozen=True, kw_only=True)
class Row(Generic[O]):
    """A row of the table, by which way the desk answers, and who asks."""

    attack: Attack[O]
    way: Mapping[str, str] = field(default_factory=lambda: NOTE)
    asker: str = "dan.wolter"


def play_row(play: Play[O], row: Row[O]) -> None:
    """Play one row on a fresh stage."""
    words = row.attack.words or REMOTE
    attack_the_desk(replace(play, words=words, asker=row.asker), row.attack, row.way)


class Deeds(Generic[O]):
    """The deeds of the rows that every system shares."""

    def __init__(self, hands: Hands[O]) -> None:
        self.hands: Hands[O] = hands

    def accept(self, play: Play[O], uid: str, code: str = "") -> None:
        self.hands.note(play, uid, f"tiergate: accept {code or codes(play)[-1]}")

    def accept_openly(self, play: Play[O], uid: str) -> None:
        self.hands.comment(play, uid, f"tiergate: accept {codes(play)[-1]}")

    def agent_says_yes(self, play: Play[O]) -> None:
        self.accept(play, AGENT)

    def agent_sets_the_state(self, play: Play[O]) -> None:
        self.hands.move(play, AGENT)

    def outsider_says_yes(self, play: Play[O]) -> None:
        self.hands.empower(play, OUTSIDER)
        self.accept(play, OUTSIDER)

    def outsider_sets_the_state(self, play: Play[O]) -> None:
        self.hands.empower(play, OUTSIDER)
        self.hands.move(play, OUTSIDER)

    def friend_joins_and_says_yes(self, play: Play[O]) -> None:
        self.hands.empower(play, OUTSIDER)
        self.hands.join(play, OUTSIDER)
        self.accept(play, OUTSIDER)

    def group_is_made_anew(self, play: Play[O]) -> None:
        self.hands.remake(play)
        self.accept(play, AGENT)

    def note_spoilt_then_yes(self, play: Play[O]) -> None:
        code = codes(play)[-1]
        self.hands.spoil(play)
        self.accept(play, AGENT, code)

    def code_of_the_older_plan(self, play: Play[O]) -> None:
        code = codes(play)[-1]
        self.hands.spoil(play)
        play.settle()
        assert codes(play)[-1] != code, "the next revision asks anew"
        self.accept(play, AGENT, code)

    def requester_comments_yes(self, play: Play[O]) -> None:
        self.accept_openly(play, play.asker)

    def daemon_says_yes(self, play: Play[O]) -> None:
        with play.stolen():
            self.accept(play, DAEMON)

    def daemon_sets_the_state(self, play: Play[O]) -> None:
        with play.stolen():
            self.hands.move(play, DAEMON)

    def yes_taken_back(self, play: Play[O]) -> None:
        self.accept(play, AGENT)
        self.hands.note(play, OTHER_AGENT, "tiergate: wrong person")

    def rows(self, system: str, *, spoilt: str) -> tuple[Row[O], ...]:
        """Return the shared rows; `spoilt` is what a spoilt note is told as."""
        state = STATE[system]
        return (
            Row(attack=Attack(
                name="an agent accepts by note", act=self.agent_says_yes, end=Stage.FULFILLED,
                native=(), effects=1, reason="vpn-staff")),
            Row(way=state, attack=Attack(
                name="an agent accepts by state", act=self.agent_sets_the_state,
                end=Stage.FULFILLED, native=(), effects=1, reason="vpn-staff")),
            Row(asker=AGENT, attack=Attack(
                name="the requester accepts", act=self.agent_says_yes, end=Stage.AWAITING,
                native=(), reason="asked for this, or it is about")),
            Row(asker=AGENT, way=state, attack=Attack(
                name="the requester sets the state", act=self.agent_sets_the_state,
                end=Stage.AWAITING, native=(), reason="asked for this, or it is about")),
            Row(attack=Attack(
                name="the subject accepts", words=FOR_LUKE, act=self.agent_says_yes,
                end=Stage.AWAITING, native=(), reason="asked for this, or it is about")),
            Row(attack=Attack(
                name="an agent outside the group accepts", act=self.outsider_says_yes,
                end=Stage.AWAITING, native=(), reason="does not belong to service-desk")),
            Row(way=state, attack=Attack(
                name="an agent outside the group sets the state", act=self.outsider_sets_the_state,
                end=Stage.AWAITING, native=(), reason="does not belong to service-desk")),
            Row(attack=Attack(
                name="a friend joins the group afterwards", act=self.friend_joins_and_says_yes,
                end=Stage.AWAITING, native=(), reason="after the desk was asked")),
            Row(attack=Attack(
                name="the group is deleted and made anew under its name",
                act=self.group_is_made_anew, end=Stage.AWAITING, native=(),
                reason="the members of service-desk cannot be read")),
            Row(attack=Attack(
                name="the code of an older plan", act=self.code_of_the_older_plan,
                end=Stage.AWAITING, native=(), reason="of another plan")),
            Row(attack=Attack(
                name="the note with the plan is spoilt before the agent accepts",
                act=self.note_spoilt_then_yes, end=Stage.AWAITING, native=(), reason=spoilt)),
            Row(attack=Attack(
                name="the requester writes the code into a public comment",
                act=self.requester_comments_yes, end=Stage.AWAITING, native=(), reason="")),
            Row(attack=Attack(
                name="a note by the daemon's own account", act=self.daemon_says_yes,
                end=Stage.AWAITING, native=(), reason="")),
            Row(way=state, attack=Attack(
                name="the bot sets the state", act=self.daemon_sets_the_state,
                end=Stage.AWAITING, native=(), reason="is the daemon's own account")),
            Row(attack=Attack(
                name="another agent says no after the yes", act=self.yes_taken_back,
                end=Stage.HANDED_OVER, native=(), reason="answered wrong person")),
        )  # fmt: skip
