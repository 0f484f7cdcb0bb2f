"""A cancellation that comes in the same turn of the event loop as the failure of a try to connect to NATS."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.transport import TcpTransport

from tests.support.nats import NatsServer
from tiro_core.messaging.connection import open_bus
from tiro_core.settings import CoreSettings

ENDS_SECONDS_MAX = 10.0
"""Without the repair connecting goes on for ever."""


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        pytest.param(asyncio, "open_connection", id="refused"),
        pytest.param(TcpTransport, "readline", id="ended-by-the-server"),
    ],
)
async def test_it_ends_connecting(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    """A cancelled connection attempt ends, also where its current try fails at that moment."""
    connecting: asyncio.Task[None]
    meets = True

    def failing(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def fail(*args: object, **options: object) -> object:
            nonlocal meets
            if not meets:
                return await original(*args, **options)
            meets = False
            connecting.cancel()
            raise ConnectionResetError

        return fail

    async def connect() -> None:
        async with open_bus(CoreSettings.model_validate({"nats_url": nats_server.url}), "test"):
            await asyncio.Event().wait()

    monkeypatch.setattr(owner, step, failing(getattr(owner, step)))
    connecting = asyncio.create_task(connect())
    _, unended = await asyncio.wait((connecting,), timeout=ENDS_SECONDS_MAX)
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert not unended
    assert connecting.cancelled()
