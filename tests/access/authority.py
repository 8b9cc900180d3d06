"""Who signs certificates for tests."""

from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "127.0.0.1"


@dataclass
class Authority:
    """Who signs certificates, and files with them."""

    folder: Path

    def __post_init__(self) -> None:
        self._ca = trustme.CA()
        self.folder.mkdir()
        self.file = self.folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self.file.read_text()

    def issue(self, certificate: Path, key: Path) -> None:
        """Sign a certificate for this machine."""
        issued = self._ca.issue_cert(HOST, "localhost")
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
