"""The installation's signing key: one file in the data directory, readable by its owner alone."""

import base64
import hashlib
import os
import threading
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from engine.errors import ConfigurationError

KEY_FILE = "audit-key.pem"


class SigningKey:
    """Signs seals and exports; the private half never leaves this object and its file."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def fingerprint(self) -> str:
        """The public half's digest, by which seals name their key."""
        return fingerprint(self.public)

    def sign(self, message: bytes) -> str:
        """Return the signature over `message`, base64."""
        return base64.b64encode(self._private.sign(message)).decode()


def fingerprint(public: bytes) -> str:
    """Return the digest of a raw public key."""
    return "sha256:" + hashlib.sha256(public).hexdigest()


def is_signed(public: bytes, message: bytes, signature: str) -> bool:
    """Whether `signature` (base64) over `message` was made by the owner of `public`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(raw, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_or_create(directory: Path) -> SigningKey:
    """Return the key of this data directory, made at the first start.

    Raises:
        ConfigurationError: The file is readable by others, or holds no Ed25519 key.
    """
    path = directory / KEY_FILE
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"{path}: readable by others; run `chmod 600 {path}`")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as exc:
        raise ConfigurationError(f"{path}: holds no private key") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path}: the audit key must be Ed25519")
    return SigningKey(key)


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    write_key(path, pem)


def write_key(path: Path, content: bytes) -> None:
    """Write a key whole or not at all; of two that start at once, the first one's key stays."""
    directory = path.parent
    part = directory / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    part.unlink(missing_ok=True)  # left by a start that was killed, under a process id used again
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink()
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
