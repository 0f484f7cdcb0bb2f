"""The client for programs without an event loop: real processes, the real tiny.en and the fake engine."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.e2e.speech import SAMPLES, error_rate, pcm16, wav
from tests.support.stack import Stack
from tiro_client import (
    Client,
    Final,
    InvalidRequest,
    JobCancelled,
    JobSegments,
    JobState,
    JobStateChanged,
    LiveConfig,
    NotFound,
    SessionEnded,
    SessionStarted,
    TiroError,
    UtteranceEnd,
)
from tiro_engines.fake.markers import encode

RATE = 16_000
PIECE_SAMPLES = RATE // 10
END_SECONDS_MAX = 30.0
"""How long a program that got SIGINT may take to end."""
WORDS = "w0 w1 w2"

INTERRUPTED_WATCH = """
from tiro_client import Client
with Client() as client:
    job = client.submit({wav!r}, engine="faster-whisper", model="base")  # that no worker offers
    for event in client.watch(job):
        print(job.name, flush=True)
"""
INTERRUPTED_STREAM = """
from time import sleep
from tiro_client import Client, SessionStarted
def microphone():
    while True:
        yield bytes(3200)
        sleep(0.1)
with Client() as client:
    for event in client.stream(microphone(), sample_rate=16000):
        if isinstance(event, SessionStarted):
            print(event.session_id, flush=True)
"""


@pytest.fixture
def whisper(stack: Stack) -> Iterator[Client]:
    """A client of the tiny.en stack."""
    with Client(stack.address, streaming_address=stack.streaming_address) as client:
        yield client


@pytest.fixture
def fake(fake_stack: Stack) -> Iterator[Client]:
    """A client of the fake stack."""
    with Client(fake_stack.address, streaming_address=fake_stack.streaming_address) as client:
        yield client


def speech(count: int = 3) -> bytes:
    """A recording of numbered words for the fake engine."""
    return wav(encode(range(count)))


def pieces(samples: bytes) -> Generator[bytes, None, None]:
    """Samples in pieces of 100 ms."""
    for begin in range(0, len(samples), 2 * PIECE_SAMPLES):
        yield samples[begin : begin + 2 * PIECE_SAMPLES]


def interrupted(program: str, stack: Stack) -> str:
    """Run a program, send it SIGINT once it has printed a line, and return the line. It must end as Ctrl-C ends one."""
    environment = {**os.environ, **stack.environment}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=END_SECONDS_MAX)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Task" not in errors, "nothing is reported besides"
    return line


@pytest.mark.xdist_group("tiny.en stack")
def test_a_recording_becomes_a_transcript(whisper: Client) -> None:
    """In one call, with segments, times and metadata."""
    transcript = whisper.transcribe(SAMPLES / "dictation.wav", language="en")
    assert error_rate(transcript.text, "dictation.wav") <= 0.1
    assert transcript.info.model == "tiny.en"


@pytest.mark.xdist_group("tiny.en stack")
def test_live_speech(whisper: Client) -> None:
    """Audio is sent by a thread of its own while the events are read."""
    events = list(whisper.stream(pieces(pcm16("dictation.wav").tobytes()), sample_rate=RATE, language="en"))
    text = " ".join(event.segment.text for event in events if isinstance(event, Final))
    assert isinstance(events[0], SessionStarted)
    assert isinstance(events[-1], SessionEnded)
    assert error_rate(text, "dictation.wav") <= 0.15


@pytest.mark.xdist_group("fake stack")
class TestWithTheFakeEngine:
    """All methods, on real services."""

    def test_the_steps_of_a_job(self, fake: Client) -> None:
        """Upload, submit, watch, wait, get, list, the transcript in each form, and deletion."""
        sent: list[tuple[int, int]] = []
        upload = fake.upload(speech(), display_name="words", progress=lambda *amount: sent.append(amount))
        assert sent[-1] == (upload.size_bytes, upload.size_bytes)
        job = fake.submit(upload)
        states = [event.job.state for event in fake.watch(job) if isinstance(event, JobStateChanged)]
        assert states == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
        segments = [event for event in fake.watch(job) if isinstance(event, JobSegments)]
        assert " ".join(one.text for event in segments for one in event.segments) == WORDS
        assert fake.wait(job).name == fake.get(job).name == job.name
        assert job.name in [one.name for one in fake.list(page_size=1)]
        assert fake.get_transcript(job).text == WORDS
        assert fake.get_transcript(job, format="txt").split() == WORDS.split()
        assert fake.delete_audio(job).audio_deleted
        fake.delete(job)
        with pytest.raises(NotFound):
            fake.get(job)

    def test_jobs_that_do_not_succeed(self, fake: Client) -> None:
        """A cancelled job raises from `wait`, and can be retried. A refusal has its reason."""
        job = fake.submit(speech(), engine="faster-whisper", model="base")  # that no worker offers
        assert fake.cancel(job).state is JobState.CANCELLED
        with pytest.raises(JobCancelled):
            fake.wait(job)
        again = fake.retry(job)
        assert again.retry_of == job.name
        fake.delete(again)
        with pytest.raises(InvalidRequest) as refused:
            fake.submit(speech(), model="none")
        assert refused.value.reason == "UNKNOWN_MODEL"

    def test_uploads_and_engines(self, fake: Client) -> None:
        """An upload without a job is deleted. The engines name the one that runs."""
        upload = fake.upload(speech())
        fake.delete_upload(upload)
        with pytest.raises(NotFound):
            fake.submit(upload)
        assert "fake" in [engine.name for engine in fake.list_engines() if engine.is_alive]

    def test_a_live_session_by_hand(self, fake: Client) -> None:
        """One thread sends, finalizes, updates and ends; it reads the events as it goes. Another one can follow."""
        samples = encode(range(6)).tobytes()
        half = len(samples) // 4 * 2
        with fake.open_stream(LiveConfig(sample_rate=RATE)) as live:
            started = next(live)
            assert isinstance(started, SessionStarted)
            live.send(samples[:half])
            live.finalize()
            first = _until_utterance_end(live)
            live.update(silence_seconds=1.0)
            live.send(samples[half:])
            live.end()
            rest = list(live)
        finals = [event for event in first + rest if isinstance(event, Final)]
        assert [word for final in finals for word in final.segment.text.split()] == [f"w{n}" for n in range(6)]
        followed = [e for e in fake.watch_session(started.session_id, partials=False) if isinstance(e, Final)]
        assert followed == finals

    def test_a_session_that_is_left(self, fake: Client) -> None:
        """Closing the iterator cancels the session, and ends the thread that sends."""
        audio = pieces(bytes(2 * RATE * 3600))
        with closing(fake.stream(audio, sample_rate=RATE)) as events:
            started = next(events)
        assert isinstance(started, SessionStarted)
        assert "cancelled" in _cause_of_end(fake, started.session_id)
        audio.close()  # raises if a thread still iterated over it

    def test_an_exception_of_the_audio(self, fake: Client) -> None:
        """What the audio raises is raised where the events are read."""

        def broken() -> Iterator[bytes]:
            yield bytes(3200)
            raise LookupError("the cable fell out")

        with pytest.raises(LookupError, match="cable"):
            list(fake.stream(broken(), sample_rate=RATE))

    def test_several_threads(self, fake: Client) -> None:
        """Jobs and live streams of several threads do not mix."""

        def job(count: int) -> list[str]:
            return fake.transcribe(speech(count)).text.split()

        def live(count: int) -> list[str]:
            events = fake.stream(pieces(encode(range(count)).tobytes()), sample_rate=RATE)
            return [word for e in events if isinstance(e, Final) for word in e.segment.text.split()]

        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(job, count) for count in (3, 4, 5, 6)]
            streams = [pool.submit(live, count) for count in (3, 4)]
            assert [len(one.result()) for one in jobs] == [3, 4, 5, 6]
            assert [len(one.result()) for one in streams] == [3, 4]

    def test_several_clients(self, fake_stack: Stack) -> None:
        """Each has a loop of its own."""

        def use(count: int) -> int:
            with Client(fake_stack.address) as client:
                return len(client.transcribe(speech(count)).text.split())

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(use, (3, 4, 5, 6))) == [3, 4, 5, 6]

    def test_ctrl_c_ends_a_watch(self, fake_stack: Stack, fake: Client) -> None:
        """At once, as any Python program. The job continues."""
        name = interrupted(INTERRUPTED_WATCH.format(wav=speech()), fake_stack)
        assert fake.get(name).state is JobState.QUEUED
        fake.delete(name)

    def test_ctrl_c_cancels_a_live_session(self, fake_stack: Stack, fake: Client) -> None:
        """The service is told, so that it does not wait for the client."""
        session_id = interrupted(INTERRUPTED_STREAM, fake_stack)
        assert "cancelled" in _cause_of_end(fake, session_id)


def _until_utterance_end(live: Iterator[object]) -> list[object]:
    events: list[object] = []
    for event in live:
        events.append(event)
        if isinstance(event, UtteranceEnd):
            return events
    raise AssertionError("the session ended")


def _cause_of_end(client: Client, session_id: str) -> str:
    """Follow a session that does not end in order, to its end. Returns why it ended."""
    with pytest.raises(TiroError) as ended:
        for event in client.watch_session(session_id):
            assert not isinstance(event, SessionEnded)
    return str(ended.value)
