"""sys_ids that are the same on every sandbox."""

import hashlib


def stable_id(table: str, name: str) -> str:
    """Return the sys_id that a seeded record has on every sandbox."""
    return hashlib.md5(f"{table}:{name}".encode(), usedforsecurity=False).hexdigest()
