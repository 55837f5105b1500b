"""TLS to a directory: chain and host name checked by the standard library, refusals kept."""

import ssl
from typing import Any

import ldap3

from connectors.ldap.settings import LDAPSettings


class VerifiedTls(ldap3.Tls):
    """TLS whose certificate chain and host name are checked by the standard library."""

    def __init__(self, settings: LDAPSettings, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._ca_file = settings.ca_file or None
        self._name = settings.tls_name or host
        self.refused = ""

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ANN401, FBT001, FBT002  ldap3's signature
        """Encrypt the socket of a connection, or raise and keep why in `refused`."""
        # ldap3 keeps only the text of an error here: why a certificate was refused is kept by us.
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
            connection.socket = context.wrap_socket(
                connection.socket, do_handshake_on_connect=do_handshake, server_hostname=self._name
            )
        except ssl.SSLCertVerificationError as error:
            self.refused = f"the server's certificate does not hold: {error.verify_message}"
            raise
        except FileNotFoundError:
            self.refused = "ca_file cannot be read"
            raise
