"""Signatures of callbacks by Standard Webhooks (github.com/standard-webhooks/standard-webhooks).

The secret of a tenant is derived from the deployment's secret. So no secret has to be stored, and a leaked one does not
reveal those of other tenants.
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
    """The secret with which a tenant verifies its callbacks: `whsec_` and 32 bytes in base64."""
    key = hmac.digest(deployment_secret.encode(), _PURPOSE + tenant.encode(), hashlib.sha256)
    return _PREFIX + base64.b64encode(key).decode()


def sign(secrets: Sequence[str], message_id: str, sent_at: datetime, body: str) -> dict[str, str]:
    """The headers of a signed message.

    Args:
        secrets: The tenant's secrets by `tenant_secret`: several while the deployment's secret is being replaced.
        message_id: The id of the message, the same for all tries.
        sent_at: The time of this try, in UTC.
        body: The body of the request.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, sent_at, body) for secret in secrets),
    }
