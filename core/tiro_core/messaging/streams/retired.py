"""Streams of earlier versions of Tiro that are no longer used: they are deleted when a service starts."""

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

RETIRED_STREAMS = ("TIRO_LIVE_PARTIALS",)
"""`TIRO_LIVE_PARTIALS`: partials are broadcast; the newest one of each session was stored as well, for no reader."""


async def delete_retired_streams(jetstream: JetStreamContext) -> None:
    """Delete the retired streams that exist, with all their messages."""
    for name in RETIRED_STREAMS:
        try:
            await jetstream.delete_stream(name)
        except NotFoundError:
            continue
