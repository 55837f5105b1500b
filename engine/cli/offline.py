"""Checking an export with nothing but the file: no configuration, no store, no network."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from engine.errors import ChainBrokenError, ConfigurationError
from engine.store.export import verify_export
from engine.store.keys import fingerprint
from engine.store.verification import Misfit

_KEY = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What an export says of itself, and the first thing in it that does not fit."""

    chain: str
    rows: int
    key: str
    is_key_given: bool
    misfit: Misfit | None


def read_export(path: Path) -> dict[str, Any]:
    """Return the document in a file.

    Raises:
        ConfigurationError: The file cannot be read.
        ChainBrokenError: It is no JSON object.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ChainBrokenError(f"{path}: this is no JSON") from error
    if not isinstance(document, dict):
        raise ChainBrokenError(f"{path}: this is no audit export")
    return document


def check_export(document: dict[str, Any], public_key: str | None) -> Checked:
    """Check an export with the key that the auditor trusts, else with the one that it names.

    The key inside proves only that nothing was changed since somebody signed; who signed, only a
    key that came another way proves.

    Raises:
        ConfigurationError: The key given is none.
        ChainBrokenError: It is no export, or it was changed after it was signed.
    """
    text = public_key if public_key is not None else document.get("public_key")
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        if public_key is not None:
            raise ConfigurationError("--public-key: 64 hex digits, as `tiergate audit key` prints")
        raise ChainBrokenError("the export names no public key: give one with --public-key")
    public = bytes.fromhex(text)
    try:
        misfit = verify_export(document, public)
        chain, rows = str(document["chain"]), len(document["rows"])
        key = fingerprint(public)
        if misfit is None and document["key"] != key:
            misfit = Misfit(chain=chain, number=rows, why="the export names another key")
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # Whoever holds any key can sign anything; what is signed may still be no export.
        raise ChainBrokenError(f"the export has not the shape of one ({error!r})") from error
    return Checked(
        chain=chain, rows=rows, key=key, is_key_given=public_key is not None, misfit=misfit
    )
