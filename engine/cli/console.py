"""What every command shares: where the configuration is, how results are printed, exit codes."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

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


def config_path(given: Path | None) -> Path:
    """Return the configuration file to use.

    Raises:
        ConfigurationError: There is none.
    """
    path = given or Path(os.environ.get("TIERGATE_CONFIG") or "tiergate.yaml")
    if not path.is_file():
        raise ConfigurationError(
            f"no configuration at {path}: name one with --config or $TIERGATE_CONFIG"
            " (an example: config/defaults/tiergate.yaml)"
        )
    return path


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str)
    sys.stdout.write(text.decode() + "\n")


def say(line: str = "") -> None:
    """Print one line for a person on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(line + "\n")


@contextmanager
def errors_end_the_command() -> Generator[None]:
    """Turn deliberate errors into their sentence and exit code; a defect shows as it is."""
    try:
        yield
    except ConfigurationError as error:
        complain(str(error))
        raise SystemExit(ExitCode.USAGE) from error
    except TiergateError as error:
        complain(f"{type(error).__name__}: {error}")
        raise SystemExit(ExitCode.FINDING) from error
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(ExitCode.FINDING) from None
