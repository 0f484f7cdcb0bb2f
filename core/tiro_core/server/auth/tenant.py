"""The tenant of a call."""

from contextvars import ContextVar
from typing import Protocol

import grpc

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError
from tiro_core.ids import DEFAULT_TENANT
from tiro_core.server.auth.keys import KeyRing

_current: ContextVar[str] = ContextVar("tenant")


def current_tenant() -> str:
    """The tenant of the call being served.

    Raises:
        LookupError: The current task serves no call.
    """
    return _current.get()


def set_tenant(tenant: str) -> None:
    """Set the tenant for the rest of the task that serves a call."""
    _current.set(tenant)


class Authenticator(Protocol):
    """Finds the tenant of a call by its metadata."""

    def tenant_of(self, authorization: str | None) -> str:
        """The tenant of a call with this `authorization` metadata.

        Raises:
            TiroError: UNAUTHENTICATED, with the reason.
        """


class NoAuthentication:
    """Every caller is the default tenant. Only for a service that listens on loopback."""

    def tenant_of(self, authorization: str | None) -> str:  # noqa: ARG002 - the key is not checked
        """The default tenant."""
        return DEFAULT_TENANT


class ApiKeyAuthentication:
    """The metadata `authorization: Bearer <key>` names the tenant."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def tenant_of(self, authorization: str | None) -> str:
        """The tenant of the key.

        Raises:
            TiroError: UNAUTHENTICATED; there is no key, or it is not known, or it was revoked.
        """
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise _refused(
                reasons.ERROR_REASON_API_KEY_MISSING, "the call has no metadata 'authorization: Bearer <API key>'"
            )
        record = self._ring.find(key.strip())
        if record is None:
            raise _refused(reasons.ERROR_REASON_API_KEY_INVALID, "the API key is not known")
        if record.HasField("revoke_time"):
            raise _refused(reasons.ERROR_REASON_API_KEY_REVOKED, f"the API key {record.key_id} was revoked")
        return record.tenant


def _refused(reason: "reasons.ErrorReason.ValueType", message: str) -> TiroError:
    return TiroError(grpc.StatusCode.UNAUTHENTICATED, reason, message)
