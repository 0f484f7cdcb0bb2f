"""Calls of the unmodified SDK `amazon-transcribe`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from amazon_transcribe.auth import CredentialResolver
from amazon_transcribe.client import TranscribeStreamingClient
from amazon_transcribe.endpoints import StaticEndpointResolver

from tests.support.transcribe_service.server import REGION, TranscribeServer
from tiro_engines.fake.markers import encode
from tiro_engines.interface import SAMPLE_RATE

SdkStream = Any
"""`amazon_transcribe.model.StartStreamTranscriptionEventStream`, whose types are not complete."""
SdkResult = Any
"""`amazon_transcribe.model.Result`, likewise."""

CHUNK_BYTES = 3200
"""100 ms at 16 kHz."""
ANSWER_SECONDS_MAX = 20.0


def speech(*parts: Sequence[int] | float) -> bytes:
    """PCM16 of markers, each with 100 ms of silence after it, and of pauses in seconds."""
    pieces = [
        np.zeros(round(part * SAMPLE_RATE), dtype=np.int16) if isinstance(part, int | float) else encode(part)
        for part in parts
    ]
    return np.concatenate(pieces).tobytes()


async def start(
    server: TranscribeServer, *, credentials: CredentialResolver | None = None, **parameters: Any
) -> SdkStream:
    """Start a stream. By default it is PCM16 in English at 16 kHz."""
    endpoint = StaticEndpointResolver(server.url)
    client = TranscribeStreamingClient(
        region=REGION,
        endpoint_resolver=endpoint,
        credential_resolver=credentials,
    )
    usual: dict[str, Any] = {"language_code": "en-US", "media_sample_rate_hz": SAMPLE_RATE, "media_encoding": "pcm"}
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        return await client.start_stream_transcription(**usual | parameters)


async def send(stream: SdkStream, pcm: bytes, *, chunk_bytes: int = CHUNK_BYTES) -> None:
    """Send audio in chunks."""
    for begin in range(0, len(pcm), chunk_bytes):
        await stream.input_stream.send_audio_event(audio_chunk=pcm[begin : begin + chunk_bytes])


async def results(stream: SdkStream) -> list[SdkResult]:
    """All results until the service ends the stream."""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        return [result async for event in stream.output_stream for result in event.transcript.results]


async def transcribe(
    server: TranscribeServer, pcm: bytes, *, chunk_bytes: int = CHUNK_BYTES, **parameters: Any
) -> list[SdkResult]:
    """Send audio, end the stream, and return all results."""
    stream = await start(server, **parameters)
    await send(stream, pcm, chunk_bytes=chunk_bytes)
    await stream.input_stream.end_stream()
    return await results(stream)


async def leave(stream: SdkStream) -> None:
    """End a stream that may have ended already, and read its last results."""
    with suppress(OSError):
        await stream.input_stream.end_stream()
    await results(stream)
