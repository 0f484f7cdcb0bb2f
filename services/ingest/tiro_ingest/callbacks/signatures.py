"""Signatures of callbacks, as Standard Webhooks has them (github.com/standard-webhooks/standard-webhooks).

The secret of a tenant is derived from the deployment's, so that nothing has to be stored, and a tenant that leaks its
own gives nobody else's away.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_PURPOSE = b"tiro callback secret of tenant "


def tenant_secret(deployment_secret: str, tenant: str) -> str:
    """What a tenant verifies its callbacks with: `whsec_` and 32 bytes in base64."""
    key = hmac.digest(deployment_secret.encode(), _PURPOSE + tenant.encode(), hashlib.sha256)
    return _PREFIX + base64.b64encode(key).decode()


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`.

    Args:
        secrets: A tenant's secrets, as `tenant_secret` gives them: several while the deployment's is being changed.
        message_id: The header `webhook-id`.
        timestamp: The header `webhook-timestamp`, in seconds of Unix time.
        body: What is sent.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
