"""Speakers for `benchmarks.live.overhead`: frames of noise in real time, and the latency of each answer.

A process of its own, so that its CPU time is not counted with the services'. Reads one JSON object on stdin. Prints a
line when the measured time begins, one when it ends, and the results as JSON.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from benchmarks.live.speakers import Request
from benchmarks.shared.pacing import RATE
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_core.audio.pcm import SAMPLE_BYTES

OPENINGS_A_SECOND = 40
"""Sessions opened in a second."""
WARM_SECONDS = 4.0
"""Frames within this time after the last session began are not measured."""
ANSWER_SECONDS = 2.0
"""Measured frames that are not answered within this time count as unanswered."""
MEASURING = "measuring"
MEASURED = "measured"


class Schedule:
    """The schedule, on this process's monotonic clock, in seconds."""

    def __init__(self, streams: int, seconds: float) -> None:
        self.begun = time.monotonic()
        self.first = self.begun + streams / OPENINGS_A_SECOND + WARM_SECONDS
        """Frames due from here on are measured."""
        self.last = self.first + seconds
        """Up to here."""
        self.end = self.last + ANSWER_SECONDS
        """Every stream is half-closed."""

    async def until(self, moment: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, moment - time.monotonic()))


class Speaker:
    """One stream."""

    def __init__(self, stub: StreamingServiceStub, task: dict[str, Any], schedule: Schedule, delay: float) -> None:
        self._stub = stub
        self._task = task
        self._frame_seconds = float(task["frame_seconds"])
        self._schedule = schedule
        self._begin_at = schedule.begun + delay
        self._sent: list[tuple[float, float]] = []
        """The due time and the send time of each frame."""
        self._answered = 0
        self._started = asyncio.Event()
        self.late: list[float] = []
        """The delay of sending each measured frame, in seconds: the lateness of the load itself."""
        self.stages: list[tuple[float, float, float]] = []
        """Of each measured frame: seconds to the worker, in the worker, and back to the client."""
        self.partials = 0
        """Answers to the measured frames: the streamer may put several frames into one message."""
        self.measured = 0
        """Frames that were due in the measured time."""
        self.error = ""

    async def run(self) -> None:
        """Speak until the schedule's end."""
        await self._schedule.until(self._begin_at)
        try:
            open_stream: Any = self._stub.StreamingTranscribe  # the stub does not know that requests may come later
            async for response in open_stream(self._requests()):
                kind = response.WhichOneof("response")
                if kind == "partial":
                    self._take(response.partial.segment, time.monotonic())
                elif kind == "session_started":
                    self._started.set()
        except grpc.aio.AioRpcError as error:
            self.error = f"{error.code().name}: {error.details()}"

    async def _requests(self) -> AsyncIterator[Request]:
        yield Request(
            config=streaming.StreamingConfig(
                format=AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE),
                recognition=RecognitionConfig(
                    engine=self._task["engine"], model=self._task["model"], language_code="en"
                ),
                enable_interim_results=True,
            )
        )
        await self._started.wait()
        frame = os.urandom(round(self._frame_seconds * RATE) * SAMPLE_BYTES)
        due = time.monotonic() + random.uniform(0, self._frame_seconds)  # speakers do not keep step
        while due < self._schedule.end:
            await self._schedule.until(due)
            self._sent.append((due, time.monotonic()))
            self.measured += self._is_measured(due)
            yield Request(audio=frame)
            due += self._frame_seconds

    def _take(self, segment: Any, now: float) -> None:
        """Note the frames that this partial is the first to answer."""
        came, went = (int(moment) / 1e9 for moment in segment.text.split())
        end = round(segment.end_offset.ToNanoseconds() / 1e9 / self._frame_seconds)
        measured = [(due, sent) for due, sent in self._sent[self._answered : end] if self._is_measured(due)]
        self._answered = max(self._answered, end)
        self.partials += bool(measured)
        for due, sent in measured:
            self.late.append(sent - due)
            self.stages.append((came - sent, went - came, now - went))

    def _is_measured(self, due: float) -> bool:
        return self._schedule.first <= due < self._schedule.last


async def main() -> None:
    """Run the task on stdin."""
    task = json.loads(sys.stdin.readline())
    async with grpc.aio.insecure_channel(task["address"]) as channel:
        stub = StreamingServiceStub(channel)
        schedule = Schedule(task["streams"], task["seconds"])
        speakers = [Speaker(stub, task, schedule, number / OPENINGS_A_SECOND) for number in range(task["streams"])]
        async with asyncio.TaskGroup() as tasks:
            for speaker in speakers:
                tasks.create_task(speaker.run())
            await schedule.until(schedule.first)
            print(MEASURING, flush=True)
            await schedule.until(schedule.last)
            print(MEASURED, flush=True)
    answer = {
        "late": [seconds for speaker in speakers for seconds in speaker.late],
        "stages": [stages for speaker in speakers for stages in speaker.stages],
        "frames": sum(speaker.measured for speaker in speakers),
        "partials": sum(speaker.partials for speaker in speakers),
        "errors": [speaker.error for speaker in speakers if speaker.error],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    asyncio.run(main())
