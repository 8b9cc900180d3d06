"""What encrypts connections: the server's certificate with its key, and who signs the certificates of clients.

Files are read whole and checked together before they are used: a certificate whose key is another one's is refused.
"""

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from catalog.errors import DatabaseError, ErrorKind
from flightserver.settings import Settings

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True)
class TlsFiles:
    """Where the parts are. With `client_ca`, clients must show a certificate that it has signed."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True)
class Tls:
    """The parts, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


def tls_files(settings: Settings) -> TlsFiles | None:
    """What the settings name; None without TLS. INVALID when one part is named without the others."""
    certificate, key, client_ca = settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file
    if certificate is not None and key is not None:
        return TlsFiles(certificate, key, client_ca)
    if certificate is not None or key is not None or client_ca is not None:
        raise DatabaseError(
            ErrorKind.INVALID, "TLS needs both tls_certificate_file and tls_key_file; tls_client_ca_file comes beside"
        )
    return None


def read_tls(files: TlsFiles) -> Tls:
    """Read the files and check that they belong together; INVALID names the setting at fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise DatabaseError(
            ErrorKind.INVALID,
            "the files of tls_certificate_file and tls_key_file cannot be read, are not PEM, or do not belong together",
        ) from error
    try:
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
        return Tls(
            files.certificate.read_bytes(),
            files.key.read_bytes(),
            None if files.client_ca is None else files.client_ca.read_bytes(),
        )
    except (OSError, ValueError) as error:
        raise DatabaseError(ErrorKind.INVALID, "the file of tls_client_ca_file is no certificate in PEM") from error


def check_exposure(settings: Settings) -> None:
    """Raise INVALID when the settings would let strangers in, or passwords go over a network as they are."""
    if is_loopback(settings.host):
        return
    if settings.dev:
        raise DatabaseError(ErrorKind.INVALID, "--dev lets anybody in, so it binds to 127.0.0.1 only")
    if tls_files(settings) is None and not settings.insecure:
        raise DatabaseError(
            ErrorKind.INVALID,
            f"{settings.host} is not loopback, and without TLS passwords would cross the network readable: set "
            "tls_certificate_file and tls_key_file, or insecure = true when something else encrypts",
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can connect to an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES
