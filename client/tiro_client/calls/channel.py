"""A connection to a service: the channel, and what every call over it carries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc

from tiro_client.calls.error_details import translated
from tiro_client.calls.retrying import retrying
from tiro_client.settings import TlsCa

KEEPALIVE_SECONDS = 20
"""How often an idle connection with a call on it is pinged. Tiro's servers refuse pings under 10 s apart."""
KEEPALIVE_TIMEOUT_SECONDS = 10
"""How long an answer to a ping may take until the connection counts as broken."""
RECONNECT_SECONDS_MIN = 0.2
RECONNECT_SECONDS_MAX = 5.0
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""The largest message taken: a page of a transcript with all its words is below 4 MiB, a proxy's may be larger."""

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel and what every call over it carries."""

    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...]
    timeout_seconds: float
    """How long a call with one answer may take."""

    async def call(self, method: "grpc.aio.UnaryUnaryMultiCallable[Q, R]", request: Q) -> R:
        """Make a call that is safe to repeat, and repeat it while the service is not there or full.

        Raises:
            TiroError: The service refused it, or all attempts failed.
        """
        async for attempt in retrying():
            with attempt, translated():
                return await method(request, metadata=self.metadata, timeout=self.timeout_seconds)
        raise AssertionError("the last attempt returns or raises")


@asynccontextmanager
async def open_connection(
    address: str, *, api_key: str | None, tls_ca: TlsCa, timeout_seconds: float
) -> AsyncIterator[Connection]:
    """A connection that is closed at the end. Nothing is sent before the first call.

    Raises:
        OSError: The CA file cannot be read.
    """
    metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
    async with _channel(address, tls_ca) as channel:
        yield Connection(channel, metadata, timeout_seconds)


def _channel(address: str, tls_ca: TlsCa) -> grpc.aio.Channel:
    options = [
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
        ("grpc.initial_reconnect_backoff_ms", int(RECONNECT_SECONDS_MIN * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(RECONNECT_SECONDS_MAX * 1000)),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        # Retries are this library's: gRPC's own would repeat calls without a word.
        ("grpc.enable_retries", 0),
    ]
    if tls_ca is None:
        return grpc.aio.insecure_channel(address, options=options)
    roots = None if tls_ca is True else tls_ca.read_bytes()
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(roots), options=options)
