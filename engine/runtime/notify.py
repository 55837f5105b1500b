"""Tells the service manager how the daemon stands: the sd_notify(3) protocol of systemd."""

import os
import socket


def notify(state: str) -> None:
    """Send `state` (`READY=1`, `STOPPING=1`, `STATUS=...`) to $NOTIFY_SOCKET; nothing without one.

    A service manager that does not listen is no reason to stop working: a refused datagram is left.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), address)
        except OSError:
            return
