"""What every command shares: where the configuration is, how results are printed, exit codes."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from config.escaping import is_invisible
from engine.errors import ConfigurationError, TiergateError


class ExitCode(IntEnum):
    """0 done, 1 a finding or failure, 2 wrong usage or configuration."""

    DONE = 0
    FINDING = 1
    USAGE = 2


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="tiergate.yaml; else $TIERGATE_CONFIG, else ./tiergate.yaml."),
]
JSONOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout, and nothing else.")
]

JSONLinesOption = Annotated[
    bool, typer.Option("--json", help="One JSON document a line on stdout, and nothing else.")
]


def config_path(given: Path | None) -> Path:
    """Return the configuration file to use.

    Raises:
        ConfigurationError: There is none.
    """
    path = given or Path(os.environ.get("TIERGATE_CONFIG") or "tiergate.yaml")
    if not path.is_file():
        raise ConfigurationError(
            f"no configuration at {path}: name one with --config or $TIERGATE_CONFIG"
            " (`tiergate init` writes one to begin with)"
        )
    return path


def shown(text: object) -> str:
    """Return a text fit for a terminal: one line; what would drive or fool it as [U+XXXX].

    Ticket texts, names and remote errors are written by strangers: an escape sequence could clear
    the screen, a line break could forge a line, a bidi control could turn a name around.
    """
    return "".join(
        f"[U+{ord(character):04X}]" if character == "\t" or is_invisible(character) else character
        for character in str(text)
    )


def print_json(document: object) -> None:
    """Print one JSON document on stdout; half a character in a ticket stands as its escape."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    try:
        text = orjson.dumps(document, option=options, default=str).decode()
    except orjson.JSONEncodeError:  # orjson writes UTF-8, which has no lone surrogates
        text = json.dumps(document, indent=2, sort_keys=True, default=str)
    sys.stdout.write(text + "\n")


def print_json_line(document: object) -> None:
    """Print one JSON document as one line on stdout; all but ASCII stands as its escape."""
    say(json.dumps(document, sort_keys=True, default=str))


def tell(line: str) -> None:
    """Print one line for a person on stdout, whoever wrote what is in it."""
    say(shown(line))


def say(line: str = "") -> None:
    """Print a text of our own on stdout as it is; what others wrote goes through `tell`."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Print one line on stderr, whoever wrote what is in it."""
    sys.stderr.write(shown(line) + "\n")


def has_colour() -> bool:
    """Whether stdout is a terminal whose user did not ask for plain text (no-color.org)."""
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not is_plain


@contextmanager
def errors_end_the_command() -> Generator[None]:
    """Turn deliberate errors into their sentence and exit code; a defect shows as it is."""
    try:
        yield
    except ConfigurationError as error:
        for line in str(error).split("\n"):
            complain(line)
        raise SystemExit(ExitCode.USAGE) from error
    except TiergateError as error:
        complain(f"{type(error).__name__}: {error}")
        raise SystemExit(ExitCode.FINDING) from error
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(ExitCode.FINDING) from None
