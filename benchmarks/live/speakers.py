"""Speakers for `benchmarks.live`: a process of its own, so that its CPU time is not counted with the services'.

Reads one JSON object on stdin, plays a recording over a number of streams in real time, and prints one JSON object
with all events and their times.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from benchmarks.shared.pacing import RATE, paced
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub

Request = streaming.StreamingTranscribeRequest


def words_of(segment: Segment) -> list[tuple[str, float, float, bool]]:
    """Text, start, end and whether it is stable, of each word."""
    return [
        (
            word.text,
            word.start_offset.ToNanoseconds() / 1e9,
            word.end_offset.ToNanoseconds() / 1e9,
            word.stable,
        )
        for word in segment.words
    ]


async def speak(stub: StreamingServiceStub, pcm: bytes, task: dict[str, Any], delay: float) -> dict[str, Any]:
    """One stream, from its opening to its end."""
    await asyncio.sleep(delay)
    seen: dict[str, Any] = {"begun": 0.0, "half_closed": 0.0, "events": [], "error": ""}
    ready = asyncio.Event()

    async def requests() -> AsyncIterator[Request]:
        config = streaming.StreamingConfig(
            format=AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE),
            recognition=RecognitionConfig(
                engine=task["engine"], model=task["model"], language_code="en", enable_word_time_offsets=True
            ),
            enable_interim_results=True,
        )
        yield Request(config=config)
        await ready.wait()
        seen["begun"] = begun = time.monotonic()
        async for frame in paced(pcm, begun):
            yield Request(audio=frame)
        seen["half_closed"] = time.monotonic()

    try:
        open_stream: Any = stub.StreamingTranscribe  # the stub does not know that requests may come later
        async for response in open_stream(requests()):
            kind = response.WhichOneof("response")
            now = time.monotonic()
            if kind == "session_started":
                ready.set()
            elif kind in {"partial", "final"}:
                seen["events"].append((now, kind, words_of(getattr(response, kind).segment)))
            elif kind == "lag":
                seen["events"].append((now, "lag", response.lag.behind.ToMilliseconds() / 1000))
            elif kind == "session_ended":
                seen["events"].append((now, "ended", None))
    except grpc.aio.AioRpcError as error:
        seen["error"] = f"{error.code().name}: {error.details()}"
    return seen


async def main() -> None:
    """Run the task on stdin."""
    task = json.loads(sys.stdin.read())
    pcm = Path(task["pcm"]).read_bytes() * task["times"]  # noqa: ASYNC240 - nothing else runs yet
    async with grpc.aio.insecure_channel(task["address"]) as channel:
        stub = StreamingServiceStub(channel)
        speakers = [
            speak(stub, pcm, task, number * task["stagger_seconds"] / max(1, task["streams"]))
            for number in range(task["streams"])
        ]
        streams = await asyncio.gather(*speakers)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"streams": streams, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    asyncio.run(main())
