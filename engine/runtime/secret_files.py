"""Whether the files that hold our secrets are kept from everybody else on this machine."""

import stat
from collections.abc import Iterable
from pathlib import Path

from engine.ports.findings import Finding, Severity


def check_secrets(files: Iterable[Path]) -> tuple[Finding, ...]:
    """Return a warning for every secret's file that any account of this machine may read.

    A group may: services read files that root owns through theirs.
    """
    return tuple(
        Finding(
            severity=Severity.WARNING,
            code="secret-readable",
            system="secrets",
            seen=f"every account of this machine may read {path}",
            remedy=f"chmod o= {path}, and change the secret if others work here",
        )
        for path in sorted(files)
        if path.exists() and path.stat().st_mode & stat.S_IROTH
    )
