"""The interceptors of every call, from the outside in: errors, limit, identity, the tenant's share, validation."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from grpc_status import rpc_status
from prometheus_client import Counter, Gauge, Histogram

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, reason_name, resource_exhausted
from tiro_core.logs.logger import get_logger
from tiro_core.server.auth.tenant import Authenticator, current_tenant, set_tenant
from tiro_core.server.caller_errors import RETRY_AFTER, for_caller
from tiro_core.server.interception import AroundInterceptor, Context
from tiro_core.server.tenant_limit import TenantLimit
from tiro_core.server.validation import require_valid

ABORT_SECONDS_MAX = 1.0
"""How long the end of a call waits for a client that does not read."""

CALLS = Counter("tiro_grpc_calls_total", "Calls that ended, by method, code and reason", ["method", "code", "reason"])
ACTIVE = Gauge("tiro_grpc_calls_active", "Calls being served", ["method"])
SECONDS = Histogram("tiro_grpc_call_seconds", "How long calls took", ["method"])

# Health checks and reflection must work without a key, and also when the limit of calls is reached.
_OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.")

log = get_logger()


def is_infrastructure(method: str) -> bool:
    """Whether a method belongs to gRPC's health or reflection service."""
    return method.startswith(_OPEN_TO_ALL)


class ErrorInterceptor(AroundInterceptor):
    """Turns exceptions of a method into a `google.rpc.Status`, counts the call, and logs faults of the service."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Handle the errors of one call."""
        return self._watch(method, context)

    @asynccontextmanager
    async def _watch(self, method: str, context: Context) -> AsyncIterator[None]:
        begun = time.monotonic()
        name = method.rpartition("/")[2]
        structlog.contextvars.bind_contextvars(method=name)
        ACTIVE.labels(name).inc()
        code, reason = grpc.StatusCode.OK, ""
        try:
            yield
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - every fault of a method ends here, as an error for its caller
            for_them = for_caller(error)
            code, reason = for_them.code, reason_name(for_them.reason)
            await _abort(context, for_them)
        finally:
            ACTIVE.labels(name).dec()
            CALLS.labels(name, code.name, reason).inc()
            SECONDS.labels(name).observe(time.monotonic() - begun)


async def _abort(context: Context, error: TiroError) -> None:
    """End the call. A client that does not read gets the status when it reads; the service does not wait for that."""
    try:
        async with asyncio.timeout(ABORT_SECONDS_MAX):
            await context.abort_with_status(rpc_status.to_status(error.to_status()))
    except TimeoutError:
        log.info("status_unread", reason=reason_name(error.reason))
    except grpc.aio.InternalError:  # gRPC's error when the client has disconnected
        log.info("caller_gone", reason=reason_name(error.reason))


class LimitInterceptor(AroundInterceptor):
    """Serves a limited number of calls at once and refuses others. gRPC's own limit would refuse health checks too."""

    def __init__(self, calls_max: int) -> None:
        self._calls_max = calls_max
        self._calls = 0

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - limits all alike
        """Count one call."""
        return self._count(method)

    @asynccontextmanager
    async def _count(self, method: str) -> AsyncIterator[None]:
        if is_infrastructure(method):
            yield
            return
        if self._calls >= self._calls_max:
            raise _all_calls_open(self._calls_max)
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1


class TenantLimitInterceptor(AroundInterceptor):
    """Limits the calls of one tenant to its share. It comes after the interceptor that finds the tenant."""

    def __init__(self, calls_max: int, share: float) -> None:
        self._limit = TenantLimit("calls", calls_max, share=share, total_reached=lambda: _all_calls_open(calls_max))

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - limits all alike
        """Count one call of the tenant."""
        return self._count(method)

    @asynccontextmanager
    async def _count(self, method: str) -> AsyncIterator[None]:
        if is_infrastructure(method):
            yield
            return
        with self._limit.entered(current_tenant()):
            yield


def _all_calls_open(calls_max: int) -> TiroError:
    message = f"the service has {calls_max} calls open already, its limit"
    return resource_exhausted(reasons.ERROR_REASON_NO_CAPACITY, message, retry_after=RETRY_AFTER)


class IdentityInterceptor(AroundInterceptor):
    """Finds the tenant of each call."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Set the tenant for one call."""
        return self._identify(method, context)

    @asynccontextmanager
    async def _identify(self, method: str, context: Context) -> AsyncIterator[None]:
        if not is_infrastructure(method):
            metadata = dict(context.invocation_metadata() or ())
            authorization = metadata.get("authorization")
            tenant = self._authenticator.tenant_of(authorization if isinstance(authorization, str) else None)
            set_tenant(tenant)
            structlog.contextvars.bind_contextvars(tenant=tenant)
        yield


class ValidationInterceptor(AroundInterceptor):
    """Checks every request against the rules in its proto."""

    def on_request(self, request: Any) -> None:
        """Check one request.

        Raises:
            TiroError: INVALID_ARGUMENT with the fields that break a rule.
        """
        if isinstance(request, Message):
            require_valid(request)
