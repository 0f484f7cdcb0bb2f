"""Connections to the services: a channel, and what every call over it carries."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc

from tiro_client.calls.error_details import translated
from tiro_client.calls.forks import connections_open
from tiro_client.calls.metadata import CallMetadata
from tiro_client.calls.retrying import CALL_ATTEMPTS_MAX, CALL_SECONDS_MAX, Backoff, is_transient
from tiro_client.errors import TiroError
from tiro_client.settings import ClientSettings

KEEPALIVE_SECONDS = 10
"""Time between HTTP/2 pings on a connection with a call. Tiro's servers refuse pings that are less than 5 s apart."""
KEEPALIVE_TIMEOUT_SECONDS = 10
"""How long a ping, or data, may wait for its acknowledgement before the connection counts as lost. docs/live.md sets it
beside the times for which a live session is kept."""
CONNECT_SECONDS_MAX = 5
"""How long one attempt to connect may take. gRPC's own 20 s would be spent on a network that is back long before."""
RECONNECT_SECONDS_MIN = 0.2
RECONNECT_SECONDS_MAX = 5.0
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""The largest message that is received. A page of a transcript with all its words is below 4 MiB."""

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel to a service, and what every call over it carries."""

    channel: grpc.aio.Channel
    metadata: CallMetadata
    timeout_seconds: float
    """The deadline of an attempt at a unary call."""

    async def call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Q, R]", request: Q, *, backoff: Backoff | None = None
    ) -> R:
        """Make a unary call that is safe to repeat. It is retried while the service is unavailable or full.

        Args:
            method: The method of a stub.
            request: Its request.
            backoff: Limits the attempts. None for the limits of a single call.

        Raises:
            TiroError: The service refused it, or all attempts failed.
        """
        backoff = backoff or Backoff(CALL_ATTEMPTS_MAX, CALL_SECONDS_MAX)
        while True:
            try:
                with translated():
                    return await method(request, metadata=self.metadata, timeout=self.timeout_seconds)
            except TiroError as error:
                if not is_transient(error):
                    raise
                await backoff.wait(error)


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of a client."""

    batch: Connection
    """To the service of uploads and jobs."""
    streaming: Connection
    """To the service of live streams. The same connection where both have one address."""


@asynccontextmanager
async def open_connections(
    settings: ClientSettings,
    *,
    metadata: CallMetadata,
    interceptors: Sequence[grpc.aio.ClientInterceptor],
    timeout_seconds: float,
) -> AsyncIterator[Connections]:
    """The connections that the settings describe, closed at the end. They connect with their first call.

    Raises:
        OSError: A file of certificates cannot be read.
        RuntimeError: This process was forked while connections were open.
    """
    credentials = _credentials(settings)
    async with AsyncExitStack() as channels:
        channels.enter_context(connections_open())

        async def connection(address: str) -> Connection:
            channel = await channels.enter_async_context(_channel(address, credentials, interceptors))
            return Connection(channel, metadata, timeout_seconds)

        batch = await connection(settings.address)
        shared = settings.streaming_address == settings.address
        yield Connections(batch, batch if shared else await connection(settings.streaming_address))


def _credentials(settings: ClientSettings) -> grpc.ChannelCredentials | None:
    if settings.tls_ca is None:
        return None
    roots = None if settings.tls_ca is True else settings.tls_ca.read_bytes()
    key = settings.client_key.read_bytes() if settings.client_key else None
    chain = settings.client_certificate.read_bytes() if settings.client_certificate else None
    return grpc.ssl_channel_credentials(roots, key, chain)


def _channel(
    address: str, credentials: grpc.ChannelCredentials | None, interceptors: Sequence[grpc.aio.ClientInterceptor]
) -> grpc.aio.Channel:
    options = [
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
        # The first is how long the kernel waits for the other host (TCP_USER_TIMEOUT). A proxy acknowledges data also
        # when it cannot forward it: then only the answer to a ping proves something, and gRPC's default is a minute.
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
        # Despite its name this is the deadline of an attempt; the waits between attempts are the two below.
        ("grpc.min_reconnect_backoff_ms", CONNECT_SECONDS_MAX * 1000),
        ("grpc.initial_reconnect_backoff_ms", int(RECONNECT_SECONDS_MIN * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(RECONNECT_SECONDS_MAX * 1000)),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        # This library retries: gRPC's own retries would repeat calls beyond its limits.
        ("grpc.enable_retries", 0),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)
