"""A gRPC server as every service runs it: interceptors, health, reflection, TLS, and an orderly end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tiro_core.logs.logger import get_logger
from tiro_core.server.auth.tenant import Authenticator
from tiro_core.server.interceptors import (
    ErrorInterceptor,
    IdentityInterceptor,
    LimitInterceptor,
    TenantLimitInterceptor,
    ValidationInterceptor,
)
from tiro_core.server.message_limit import RECEIVED_FACTOR, MessageLimitInterceptor
from tiro_core.server.metrics import split_address
from tiro_core.server.readiness import Readiness
from tiro_core.server.reflection import add_reflection
from tiro_core.settings import ServerSettings
from tiro_core.startup import CannotStart

CLIENT_PING_SECONDS = 10
"""How often a silent connection is pinged. Together with the wait for an answer this is well below the 30 s of silence
after which a live session ends: a lost connection is detected before that."""
CLIENT_ANSWER_SECONDS_MAX = 5
"""How long a client may leave a ping unanswered. Then its connection is closed and its calls end."""
KEEPALIVE_MIN_SECONDS = 5
"""How often clients may ping. The server's default, 5 minutes, answers common client settings with GOAWAY.

The client library pings every 10 s, and waits 10 s for the answer: docs/live.md has a table of all these times.
"""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

log = get_logger()


class ServerSettingsError(CannotStart, ValueError):
    """The settings of a server contradict each other."""


class ListenError(CannotStart, OSError):
    """The address is in use, or not one of this machine."""

    def __init__(self, address: str, cause: Exception) -> None:
        super().__init__(f"cannot listen on {address}: {cause}")


@dataclass(frozen=True, slots=True)
class Health:
    """The health status of every service on a server: of the empty name and of each full name."""

    servicer: health.aio.HealthServicer
    names: Sequence[str]

    async def set(self, *, serving: bool) -> None:
        """Answer SERVING or NOT_SERVING from now on."""
        statuses = health_pb2.HealthCheckResponse
        status = statuses.SERVING if serving else statuses.NOT_SERVING
        for name in ("", *self.names):
            await self.servicer.set(name, status)

    async def follow(self, readiness: Readiness) -> None:
        """Answer SERVING while the service is ready, until cancelled."""
        await readiness.run(self._report)

    async def _report(self, ready: bool) -> None:
        await self.set(serving=ready)


def create_server(
    settings: ServerSettings, address: str, authenticator: Authenticator, names: Sequence[str]
) -> tuple[grpc.aio.Server, Health, int]:
    """Make a server with interceptors, health and reflection; the caller adds the services. It is not started.

    Args:
        settings: Limits and TLS.
        address: `host:port` to listen on. Port 0 takes a free one.
        authenticator: Finds the tenant of a call.
        names: Full names of the services that will be added, for health and reflection.

    Returns:
        The server, its health status, and the port.

    Raises:
        ServerSettingsError: Authentication is off on an address that others can reach, or half of TLS is missing.
        ListenError: The service cannot listen on the address.
    """
    require_safe_address(settings, address)
    server = grpc.aio.server(
        interceptors=[
            ErrorInterceptor(),
            LimitInterceptor(settings.calls_max),
            IdentityInterceptor(authenticator),
            TenantLimitInterceptor(settings.calls_max, settings.share_of_tenant),
            MessageLimitInterceptor(settings.message_bytes_max),
            ValidationInterceptor(),
        ],
        options=_options(settings),
    )
    port = _listen(server, settings, address)
    return server, _add_health(server, names), port


def require_safe_address(settings: ServerSettings, address: str) -> None:
    """Refuse to serve without authentication where others can call.

    Raises:
        AddressError: The address is not `host:port`.
        ServerSettingsError: Authentication is off on an address that others can reach.
    """
    host, _ = split_address(address)
    if settings.auth == "off" and host not in _LOOPBACK:
        raise ServerSettingsError(f"authentication is off, which is only allowed on loopback, not on {host}")


def create_health_server(address: str) -> tuple[grpc.aio.Server, Health, int]:
    """Make a server with only health and reflection, for a service that has no calls.

    Raises:
        ListenError: The service cannot listen on the address.
    """
    server = grpc.aio.server()
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(address, error) from error
    return server, _add_health(server, ()), port


def _add_health(server: grpc.aio.Server, names: Sequence[str]) -> Health:
    answer = Health(health.aio.HealthServicer(), names)
    health_pb2_grpc.add_HealthServicer_to_server(answer.servicer, server)
    add_reflection(server, (*names, health.SERVICE_NAME))
    return answer


def _options(settings: ServerSettings) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_receive_message_length", RECEIVED_FACTOR * settings.message_bytes_max),
        ("grpc.max_send_message_length", settings.message_bytes_max),
        ("grpc.keepalive_time_ms", CLIENT_PING_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", CLIENT_ANSWER_SECONDS_MAX * 1000),
        # The kernel's limit above finds a host that is off. This one finds a peer that keeps the connection open but
        # does not answer, as behind a proxy; its default is a minute (grpcio 1.85).
        ("grpc.http2.ping_timeout_ms", CLIENT_ANSWER_SECONDS_MAX * 1000),
        # The default allows two pings without data: then a lost watcher, who sends none, would never be detected.
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MIN_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Otherwise two services on one port by accident would share its callers.
        ("grpc.so_reuseport", 0),
    ]


def _listen(server: grpc.aio.Server, settings: ServerSettings, address: str) -> int:
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise ServerSettingsError("TLS needs both a certificate and its key")
    try:
        if settings.tls_certificate and settings.tls_key:
            pair = (_pem(settings.tls_key), _pem(settings.tls_certificate))
            return server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(address, error) from error


def _pem(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ServerSettingsError(f"cannot read {file} for TLS: {error.strerror}") from error


@asynccontextmanager
async def serving(
    server: grpc.aio.Server, answer: Health, readiness: Readiness, *, address: str, port: int, grace_seconds: float
) -> AsyncIterator[None]:
    """Serve while the context lasts. At its end: not ready, no new calls, and running ones get `grace_seconds`."""
    await answer.set(serving=False)
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(answer.follow(readiness), name="health")
        await readiness.answered.wait()
        log.info("listening", address=f"{split_address(address)[0]}:{port}")
        try:
            yield
        finally:
            follower.cancel()
            await answer.set(serving=False)
            await server.stop(grace_seconds)
