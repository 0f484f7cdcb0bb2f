"""Opening the authenticator that the settings choose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro_core.messaging.connection import Bus
from tiro_core.server.auth.keys import open_key_ring
from tiro_core.server.auth.tenant import ApiKeyAuthentication, Authenticator, NoAuthentication
from tiro_core.settings import ServerSettings


@asynccontextmanager
async def open_authenticator(settings: ServerSettings, bus: Bus) -> AsyncIterator[Authenticator]:
    """API keys, kept up to date, or no authentication."""
    if settings.auth == "off":
        yield NoAuthentication()
        return
    async with open_key_ring(bus) as ring:
        yield ApiKeyAuthentication(ring)
