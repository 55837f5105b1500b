"""The demo's tickets as data: who writes, who acts, and how each must end."""

from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Act(_Strict):
    """What a person does natively, and when."""

    on: Literal["change", "ticket"]
    who: str
    does: Literal["approve", "reject", "close ticket"]
    comment: str = ""


class Prepare(_Strict):
    """What is done at the directory before the ticket is written.

    `lock`: this person's account is locked by wrong passwords. `intruder`: whoever is added to this
    group brings another member along, as a broken synchronisation would.
    """

    lock: str = ""
    intruder: str = ""


class Joins(_Strict):
    """A person became a member of a group."""

    joins: str
    who: str


class Password(_Strict):
    """A person's password was set, and must be changed."""

    password: str


class Unlocked(_Strict):
    """A person's account is no longer locked."""

    unlocked: str


Effect = Joins | Password | Unlocked


class Expect(_Strict):
    """How a ticket must end, as outside systems tell."""

    ticket: Literal["solved", "open", "solved by person"]
    change: Literal["none", "closed successful", "closed unsuccessful", "rejected", "cancelled"]
    directory: tuple[Effect, ...]
    note: str = ""
    mail: str = ""


class SeedTicket(_Strict):
    """One ticket of the demo."""

    name: str
    door: Literal["incident", "phone", "catalog", "portal", "issue"]
    by: str
    short_description: str
    description: str = ""
    request_type: str = ""
    subject: Annotated[str, Field(alias="for")] = ""
    prepare: Prepare = Prepare()
    acts: tuple[Act, ...] = ()
    expect: Expect


class Seed(_Strict):
    """All tickets of the demo, in the order they are written."""

    tickets: tuple[SeedTicket, ...]


def load_seed() -> Seed:
    """Return the demo's tickets."""
    text = resources.files("engine.cli.demo").joinpath("tickets.yaml").read_text("utf-8")
    return Seed.model_validate(YAML(typ="safe", pure=True).load(text))
