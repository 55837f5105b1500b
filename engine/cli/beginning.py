"""`tiergate init`: a new installation's files to edit; nothing that stands there is overwritten."""

import os
import secrets
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import errors_end_the_command, say, tell
from engine.errors import ConfigurationError

_KEY = "installation.key"
_KEY_BYTES = 32
_FILES = ("tiergate.yaml", "tiers.yaml")


def init(
    into: Annotated[Path, typer.Argument(help="The folder; made if there is none.")] = Path(),
) -> None:
    """Write tiergate.yaml, tiers.yaml and an installation key to begin with; overwrite nothing."""
    defaults = resources.files("config").joinpath("defaults")
    wanted = {
        name: defaults.joinpath(name).read_bytes() for name in ("tiergate.yaml", "tiers.yaml")
    }
    wanted[_KEY] = secrets.token_hex(_KEY_BYTES).encode("ascii")
    with errors_end_the_command():
        try:
            into.mkdir(parents=True, exist_ok=True)
            for name, content in wanted.items():
                mode = 0o600 if name == _KEY else 0o644
                is_new = _write(into / name, content, mode)
                tell(f"{'wrote' if is_new else 'left '}  {into / name}")
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from error
    config = into / "tiergate.yaml"
    say()
    tell(f"1. Edit {config}: addresses, accounts, sources. Every secret is a reference, env:NAME")
    tell("   or file:PATH; a secret file is best readable by the daemon's account alone.")
    tell(f"2. Edit {into / 'tiers.yaml'}: `authorities` are group ids of your own systems. Every")
    tell("   action begins in phase observe, which writes nothing anywhere.")
    tell(f"3. tiergate tiers check --config {config}    every mistake by file, line and column")
    tell(f"4. tiergate check --config {config}          every missing right, and how to mend it")
    tell(f"5. tiergate run --config {config}")


def _write(path: Path, content: bytes, mode: int) -> bool:
    """Write a file that is not there yet; return whether it was written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True
