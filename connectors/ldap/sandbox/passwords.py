"""Passwords as the sandbox keeps them: salted, never in the clear."""

import base64
import hashlib
import hmac
import secrets

_SCHEME = "{SSHA256}"
_SALT = 8


def hashed(password: str, salt: bytes | None = None) -> str:
    """Return the stored form of a password."""
    salt = secrets.token_bytes(_SALT) if salt is None else salt
    digest = hashlib.sha256(password.encode() + salt).digest()
    return _SCHEME + base64.b64encode(digest + salt).decode()


def is_right(password: bytes, stored: bytes) -> bool:
    """Whether a password is the one that was stored; a value without our scheme is never."""
    text = stored.decode("utf-8", "replace")
    if not text.startswith(_SCHEME):
        return False
    raw = base64.b64decode(text.removeprefix(_SCHEME))
    digest, salt = raw[:-_SALT], raw[-_SALT:]
    return hmac.compare_digest(hashlib.sha256(password + salt).digest(), digest)
