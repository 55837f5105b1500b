"""The temporary password of a reset: derived from the effect key, never stored.

The same key gives the same password after every restart, so a delivery can be repeated without a
second reset; another key gives another one. Whoever lacks the installation key learns nothing.
"""

import hashlib
import hmac
from collections.abc import Iterator

from engine.errors import ConfigurationError
from engine.ports.fulfilment import Secret

_PURPOSE = b"tiergate/ldap/temporary-password/v1\x1f"
_LEAST_KEY = 32
# Without 0 O o 1 l I, which people confuse when they type what they read.
_LOWER = "abcdefghijkmnpqrstuvwxyz"
_UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGIT = "23456789"
_ANY = _LOWER + _UPPER + _DIGIT
# Pairs between hyphens: all four classes of characters are there, and no run of three letters or
# digits, so neither a dictionary word nor a part of a name (which Active Directory refuses).
_SHAPE = (_UPPER, _DIGIT, _LOWER, _DIGIT, *(_ANY,) * 12)


def require_installation_key(installation_key: bytes) -> bytes:
    """Return the key if it is long enough to derive passwords from.

    Raises:
        ConfigurationError: It is shorter than 32 bytes.
    """
    if len(installation_key) < _LEAST_KEY:
        raise ConfigurationError(
            "the installation key (`key` in tiergate.yaml) has less than 32 bytes;"
            " `openssl rand -hex 32` makes one"
        )
    return installation_key


def temporary_password(installation_key: bytes, key: str) -> Secret:
    """Return the temporary password that belongs to an effect key: 23 characters, over 80 bits."""
    stream = _stream(installation_key, key)
    letters = "".join(_pick(stream, alphabet) for alphabet in _SHAPE)
    return Secret(value="-".join(letters[start : start + 2] for start in range(0, len(letters), 2)))


def _stream(installation_key: bytes, key: str) -> Iterator[int]:
    counter = 0
    while True:
        text = _PURPOSE + counter.to_bytes(4, "big") + key.encode()
        yield from hmac.new(installation_key, text, hashlib.sha256).digest()
        counter += 1


def _pick(stream: Iterator[int], alphabet: str) -> str:
    # Bytes beyond the last whole multiple are dropped: every character is equally likely.
    limit = 256 - 256 % len(alphabet)
    return alphabet[next(byte for byte in stream if byte < limit) % len(alphabet)]
