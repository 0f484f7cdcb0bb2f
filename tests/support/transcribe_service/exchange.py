"""One stream of the service: signed chunks of audio in, events out. Independent of HTTP/2."""

import json
import time
import uuid
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from tests.support.transcribe_service.failures import ServiceFailure, bad_request, invalid_signature, no_new_audio
from tests.support.transcribe_service.frames import BadFrameError, FrameReader, Message, encode
from tests.support.transcribe_service.recognizer import ChannelRecognizer, Result
from tests.support.transcribe_service.record import End, StreamRecord
from tests.support.transcribe_service.request import PREFIX, StreamRequest, read_request
from tests.support.transcribe_service.results import transcript_event
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.signatures import BadSignatureError, ChunkVerifier, Keys, verify_request

AUDIO_EVENT_BYTES_MAX = 32 * 1024
"""From the service model: the maximum audio chunk size is 32 KB."""
_SAMPLE_BYTES = 2


class Reply(Protocol):
    """The way back to the client."""

    def begin(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head of the response."""

    def send(self, data: bytes) -> None:
        """Send a part of the body."""

    def end(self) -> None:
        """End the body."""

    def cut(self) -> None:
        """Drop the connection, and so all streams on it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The credentials of the only account, and the region of the server."""

    keys: Keys
    region: str


class Exchange:
    """One stream, from its request on."""

    def __init__(self, record: StreamRecord, script: Script, account: Account, reply: Reply, loop: AbstractEventLoop):
        self.record = record
        self._script = script
        self._account = account
        self._reply = reply
        self._loop = loop
        self._frames = FrameReader()
        self._verifier: ChunkVerifier | None = None
        self._recognizers: list[ChannelRecognizer] = []
        self._quiet: TimerHandle | None = None
        self._began = time.monotonic()

    def open(self) -> None:
        """Check the request and answer it."""
        if self._script.mute:
            return
        try:
            request = self._check()
        except ServiceFailure as failure:
            self._refuse(failure)
            return
        self._recognizers = [ChannelRecognizer(self._script.pause_seconds) for _ in range(request.channels)]
        if self._script.cut_after == 0:
            self._cut()
            return
        self._reply.begin(200, _response_headers(request))
        self._watch_quiet()
        self._follow_script()

    def receive(self, data: bytes) -> None:
        """Process bytes of the request's body."""
        self._guarded(lambda: self._receive(data))

    def finish(self) -> None:
        """Send the last results, and end the response: the request's body has ended."""
        self._guarded(self._finish)

    def fail(self, failure: ServiceFailure) -> None:
        """End the stream with an exception event."""
        if self.record.end is not None:
            return
        headers = {
            ":message-type": "exception",
            ":exception-type": failure.kind,
            ":content-type": "application/json",
        }
        self.record.failure = failure.kind
        self.leave(End.FAILED)
        self._reply.send(encode(Message(headers, json.dumps({"Message": failure.message}).encode())))
        self._reply.end()

    def leave(self, end: End = End.LEFT) -> None:
        """Record how the stream ended, unless that is recorded."""
        if self._quiet is not None:
            self._quiet.cancel()
        if self.record.end is None:
            self.record.end = end

    def _check(self) -> StreamRequest:
        headers, account = self.record.headers, self._account
        try:
            signature = verify_request(headers, keys=account.keys, region=account.region, now=self._now())
        except BadSignatureError as error:
            raise invalid_signature(str(error)) from error
        self.record.request_verified = True
        self._verifier = ChunkVerifier(signature, keys=account.keys, region=account.region)
        self.record.request = request = read_request(headers)
        if request.vocabulary is not None and request.vocabulary not in self._script.vocabularies:
            raise bad_request("The requested vocabulary couldn't be found. Check the vocabulary name and try again.")
        if self._script.refuse is not None:
            raise self._script.refuse
        return request

    def _refuse(self, failure: ServiceFailure) -> None:
        self.record.failure = failure.kind
        self.leave(End.FAILED)
        headers = [("content-type", "application/json"), ("x-amzn-errortype", failure.kind), _request_id()]
        self._reply.begin(failure.status, headers)
        self._reply.send(json.dumps({"Message": failure.message}).encode())
        self._reply.end()

    def _guarded(self, act: Callable[[], None]) -> None:
        """Process input unless the stream has ended. Invalid input ends it with an exception event."""
        if self.record.end is not None or self._verifier is None:
            return
        try:
            act()
        except ServiceFailure as failure:
            self.fail(failure)
        except (BadFrameError, BadSignatureError) as error:
            # The service reports a wrong signature in mid-stream as any other bad request.
            self.fail(bad_request(str(error)))

    def _receive(self, data: bytes) -> None:
        for chunk in self._frames.feed(data):
            if self.record.end is None:
                self._take(chunk)

    def _take(self, chunk: Message) -> None:
        if self._verifier is None:
            raise RuntimeError("chunks of a stream that was not opened")
        event = self._verifier.open(chunk, self._now())
        self.record.chunks_verified = self._verifier.verified
        if event is not None:
            _check_event(event)
            self._take_audio(event.payload)
            self._follow_script()

    def _take_audio(self, audio: bytes) -> None:
        request = self.record.request
        if request is None or not audio:
            return
        self._watch_quiet()
        self.record.audio_events += 1
        if request.encoding != "pcm":
            return
        self.record.audio_seconds += len(audio) / (_SAMPLE_BYTES * request.sample_rate * request.channels)
        ahead = self.record.audio_seconds - (time.monotonic() - self._began)
        self.record.ahead_seconds = max(self.record.ahead_seconds, ahead)
        if len(audio) % (_SAMPLE_BYTES * request.channels):
            raise bad_request("The audio is not of whole samples.")
        samples = np.frombuffer(audio, dtype="<i2").reshape(-1, request.channels)
        for channel, recognizer in enumerate(self._recognizers):
            for result in recognizer.accept(samples[:, channel]):
                self._send_result(result, channel)

    def _finish(self) -> None:
        if self._frames.waiting:
            raise BadFrameError("the stream ends within a message")
        for channel, recognizer in enumerate(self._recognizers):
            for result in recognizer.finish():
                self._send_result(result, channel)
        if not self._is_stalled:
            self.leave(End.FINISHED)
            self._reply.end()

    def _send_result(self, result: Result, channel: int) -> None:
        request = self.record.request
        if request is not None and not self._is_stalled:
            data = encode(transcript_event(result, channel, request, self._script))
            self._reply.send(
                data[:-1] + bytes((data[-1] ^ 1,)) if self._has_passed(self._script.corrupt_after) else data
            )
            self.record.sent += 1

    def _follow_script(self) -> None:
        """Inject the fault that the script has at this point of the audio."""
        script = self._script
        if script.throw is not None and self._has_passed(script.throw_after):
            self.fail(script.throw)
        elif self._has_passed(script.cut_after):
            self._cut()

    @property
    def _is_stalled(self) -> bool:
        return self._has_passed(self._script.stall_after)

    def _has_passed(self, seconds: float | None) -> bool:
        return seconds is not None and self.record.audio_seconds >= seconds

    def _cut(self) -> None:
        self.leave(End.CUT)
        self._reply.cut()

    def _watch_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        seconds = self._script.quiet_seconds
        self._quiet = self._loop.call_later(seconds, lambda: self.fail(no_new_audio(seconds)))

    def _now(self) -> datetime:
        ahead = self._script.clock_ahead if self._has_passed(self._script.clock_ahead_after) else timedelta(0)
        return datetime.now(UTC) + ahead


def _check_event(event: Message) -> None:
    if event.headers.get(":message-type") != "event" or event.headers.get(":event-type") != "AudioEvent":
        raise bad_request("The stream has an event that is no AudioEvent.")
    if len(event.payload) > AUDIO_EVENT_BYTES_MAX:
        raise bad_request("The audio chunk is larger than 32 KB.")


def _response_headers(request: StreamRequest) -> list[tuple[str, str]]:
    parameters = [(f"{PREFIX}{name}", value) for name, value in request.parameters.items()]
    if request.session_id is None:
        parameters.append((f"{PREFIX}session-id", str(uuid.uuid4())))
    return [("content-type", "application/vnd.amazon.eventstream"), _request_id(), *parameters]


def _request_id() -> tuple[str, str]:
    return "x-amzn-request-id", str(uuid.uuid4())
