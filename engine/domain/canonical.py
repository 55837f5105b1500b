"""Canonical JSON (RFC 8785) for what we hash, and the digest over it."""

import hashlib
import json
from collections.abc import Mapping, Sequence

JSON = str | int | bool | None | Sequence["JSON"] | Mapping[str, "JSON"]
_SAFE_INTEGER = 2**53 - 1


def canonical_json(value: JSON) -> bytes:
    """Return the one RFC 8785 encoding of `value`, UTF-8.

    Floats are refused: two systems may print them differently, and nothing that we hash needs them.

    Raises:
        TypeError: The value holds something else than JSON without floats.
        ValueError: An integer is outside ±(2**53 - 1), or a text is not valid Unicode.
    """
    return json.dumps(
        _ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8")


def _ordered(value: JSON) -> JSON:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError(f"integer {value} does not survive every JSON reader")
        return int(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(
                    "canonical JSON holds text, integers, booleans, null, lists and objects"
                )
        # RFC 8785 sorts by UTF-16 code units, not by code points.
        return {
            key: _ordered(value[key]) for key in sorted(value, key=lambda k: k.encode("utf-16-be"))
        }
    # Bytes are sequences of integers to Python; what encoding they had, nobody could tell.
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("canonical JSON holds text, integers, booleans, null, lists and objects")
    if isinstance(value, Sequence):
        return [_ordered(item) for item in value]
    raise TypeError("canonical JSON holds text, integers, booleans, null, lists and objects")


def digest(value: JSON) -> str:
    """Return `sha256:` and the hex digest of the canonical encoding of `value`."""
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()
