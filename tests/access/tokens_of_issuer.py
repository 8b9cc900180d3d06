"""An outside issuer: its keys, and the tokens that it signs."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://login.example.org"
AUDIENCE = "flightserver"


class OutsideIssuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self.key: RSAPrivateKey = generate_private_key(65537, 2048)

    @property
    def public_pem(self) -> bytes:
        """The public key, as a file has it."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def key_set(self, kid: str) -> str:
        """The public key in a JWKS file, under a name."""
        algorithm: Any = jwt.get_algorithm_by_name("RS256")
        return json.dumps({"keys": [json.loads(algorithm.to_jwk(self.key.public_key())) | {"kid": kid}]})

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token with these claims beside, or instead of, the usual ones; None leaves a claim out."""
        all_claims = usual_claims() | claims
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(kept, self.key, algorithm="RS256", headers=headers)


def usual_claims() -> dict[str, Any]:
    """What makes a token count for five minutes."""
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "outside", "exp": time.time() + 300, "role": "user"}


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
