"""Signatures of callbacks, as Standard Webhooks has them (github.com/standard-webhooks/standard-webhooks).

The secret of a tenant is derived from the deployment's, so that nothing has to be stored, and a tenant that leaks its
own gives away no other's.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"
_PURPOSE = b"tiro callback secret of tenant "


def tenant_secret(deployment_secret: str, tenant: str) -> str:
    """What a tenant verifies its callbacks with: `whsec_` and 32 bytes in base64."""
    key = hmac.digest(deployment_secret.encode(), _PURPOSE + tenant.encode(), hashlib.sha256)
    return _PREFIX + base64.b64encode(key).decode()


def sign(secrets: Sequence[str], message_id: str, sent_at: datetime, body: str) -> dict[str, str]:
    """The headers of a signed message.

    Args:
        secrets: A tenant's secrets, as `tenant_secret` gives them: several while the deployment's is being changed.
        message_id: Names the message over all its tries.
        sent_at: The time of this try, in UTC.
        body: What is sent.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, sent_at, body) for secret in secrets),
    }
