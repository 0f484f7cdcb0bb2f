"""What the SDK hears from the server."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amazon_transcribe.auth import StaticCredentialResolver

from tests.support.transcribe_service.record import End
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import ACCESS_KEY, SECRET_KEY, TranscribeServer, running_transcribe
from tests.unit.transcribe_service.client import leave, results, send, speech, start, transcribe

TWO_UTTERANCES = speech([1, 2, 3], 0.6, [4])
"""Words at 0, 0.3 and 0.6 s, and at 1.5 s."""


@pytest.mark.parametrize("chunk_bytes", [642, 3200, 32000])
async def test_words_with_times(server: TranscribeServer, chunk_bytes: int) -> None:
    """Markers come back as words with the times they have in the audio, however it is cut into events."""
    heard = await transcribe(server, TWO_UTTERANCES, chunk_bytes=chunk_bytes)
    first, second = (result for result in heard if not result.is_partial)
    assert [first.alternatives[0].transcript, second.alternatives[0].transcript] == ["w1 w2 w3.", "w4."]
    items = first.alternatives[0].items + second.alternatives[0].items
    assert [(item.content, item.item_type, item.start_time, item.end_time) for item in items] == [
        ("w1", "pronunciation", 0.0, 0.2),
        ("w2", "pronunciation", 0.3, 0.5),
        ("w3", "pronunciation", 0.6, 0.8),
        (".", "punctuation", 0.8, 0.8),
        ("w4", "pronunciation", 1.5, 1.7),
        (".", "punctuation", 1.7, 1.7),
    ]
    assert [item.confidence for item in items] == [0.9, 0.9, 0.9, None, 0.9, None]
    assert [(r.start_time, r.end_time) for r in (first, second)] == [(0.0, 0.8), (1.5, 1.7)]


async def test_partials_grow(server: TranscribeServer) -> None:
    """A result keeps its ID from its first partial to its final, and grows by a word each time."""
    heard = await transcribe(server, TWO_UTTERANCES)
    told = [(result.is_partial, result.alternatives[0].transcript) for result in heard]
    assert told == [
        (True, "w1"),
        (True, "w1 w2"),
        (True, "w1 w2 w3"),
        (False, "w1 w2 w3."),
        (True, "w4"),
        (False, "w4."),
    ]
    ids = [result.result_id for result in heard]
    assert len(set(ids[:4])) == len(set(ids[4:])) == 1
    assert ids[0] != ids[4]


async def test_partials_are_revised(server: TranscribeServer) -> None:
    """Where the test asks for it, a partial's last word turns out to be another."""
    server.default = Script(revises=True)
    heard = await transcribe(server, speech([1, 2]))
    assert [result.alternatives[0].transcript for result in heard] == ["w1x", "w1 w2x", "w1 w2."]


async def test_a_final_comes_in_the_pause(server: TranscribeServer) -> None:
    """The final of an utterance is told once it is silent for long enough, while the stream goes on."""
    stream = await start(server)
    await send(stream, speech([7], 0.3))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 1)
    await send(stream, speech(0.2))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 2)
    await leave(stream)


@pytest.mark.parametrize(("stability", "unstable"), [("low", 3), ("medium", 2), ("high", 1)])
async def test_stabilization(server: TranscribeServer, stability: str, unstable: int) -> None:
    """In a partial all but the last words are stable; in a final all are."""
    heard = await transcribe(
        server,
        speech([1, 2, 3, 4]),
        enable_partial_results_stabilization=True,
        partial_results_stability=stability,
    )
    stable = [[item.stable for item in result.alternatives[0].items] for result in heard]
    assert stable[3] == [True] * (4 - unstable) + [False] * unstable
    assert stable[4] == [True] * 5


async def test_without_options(server: TranscribeServer) -> None:
    """What was not asked for is not told."""
    item = (await transcribe(server, speech([1])))[-1].alternatives[0].items[0]
    assert (item.stable, item.speaker) == (None, None)


async def test_speakers(server: TranscribeServer) -> None:
    """Where speakers are asked for, each word says who it is from."""
    heard = await transcribe(server, TWO_UTTERANCES, show_speaker_label=True)
    finals = [result for result in heard if not result.is_partial]
    assert [[item.speaker for item in final.alternatives[0].items] for final in finals] == [["0"] * 4, ["1"] * 2]


async def test_channels(server: TranscribeServer) -> None:
    """Two interleaved channels are heard apart."""
    channels = [np.frombuffer(speech(words), dtype=np.int16) for words in ([1, 2], [3, 4])]
    pcm = np.stack(channels, axis=1).tobytes()
    heard = await transcribe(server, pcm, enable_channel_identification=True, number_of_channels=2)
    finals = {result.channel_id: result.alternatives[0].transcript for result in heard if not result.is_partial}
    assert finals == {"ch_0": "w1 w2.", "ch_1": "w3 w4."}
    assert server.streams[0].audio_seconds == pytest.approx(0.6)


async def test_a_language_is_identified(server: TranscribeServer) -> None:
    """Where no language is named, results say which it is."""
    options: dict[str, Any] = {"language_code": None, "identify_language": True, "language_options": ["en-US", "de-DE"]}
    heard = await transcribe(server, speech([1]), preferred_language="de-DE", **options)
    assert heard[-1].language_code == "de-DE"


async def test_what_is_recorded(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server knows what was asked for, how much audio came and how far before its time, and that it was signed."""
    monkeypatch.setattr("tests.support.transcribe_service.exchange.time", SimpleNamespace(monotonic=lambda: 0.0))
    server.default = Script(vocabularies=frozenset({"names"}))
    session = "0f9b1a52-6b1c-4c0e-9a46-2f6a1f0d7c11"
    await transcribe(server, TWO_UTTERANCES, session_id=session, vocabulary_name="names", vocab_filter_name="rude")
    (record,) = server.streams
    request = record.request
    assert request is not None
    assert (request.language_code, request.sample_rate, request.encoding) == ("en-US", 16000, "pcm")
    assert (request.session_id, request.vocabulary, request.vocabulary_filter) == (session, "names", "rude")
    assert (record.request_verified, record.chunks_verified, record.audio_events) == (True, 19, 18)
    assert record.audio_seconds == pytest.approx(1.8)
    assert (record.end, record.failure, record.sent) == (End.FINISHED, None, 6)
    assert record.ahead_seconds == record.audio_seconds


async def test_two_streams_at_once(server: TranscribeServer) -> None:
    """Streams do not hear each other."""
    one, other = await asyncio.gather(
        transcribe(server, speech([1, 2], 0.6, [3])), transcribe(server, speech([11, 12], 0.6, [13]))
    )
    texts = [[r.alternatives[0].transcript for r in heard if not r.is_partial] for heard in (one, other)]
    assert texts == [["w1 w2.", "w3."], ["w11 w12.", "w13."]]
    assert [record.end for record in server.streams] == [End.FINISHED] * 2


async def test_silence_has_no_results(server: TranscribeServer) -> None:
    """A stream without words ends without results."""
    assert await transcribe(server, speech(1.0)) == []


async def test_many_results_fit_through_the_window(server: TranscribeServer) -> None:
    """Results beyond the first flow-control window of HTTP/2 all arrive."""
    words = list(range(100))
    heard = await transcribe(server, speech(words), chunk_bytes=32000)
    assert heard[-1].alternatives[0].transcript == " ".join(f"w{word}" for word in words) + "."
    assert len(heard) == 101


async def test_temporary_credentials(server: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Credentials with a session token are known by both."""
    keys = StaticCredentialResolver(ACCESS_KEY, SECRET_KEY, "token of the tests")
    with running_transcribe(tmp_path_factory.mktemp("other"), token="token of the tests") as other:  # noqa: S106
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(other.ca_file))
            stream = await start(other, credentials=keys)
        await stream.input_stream.end_stream()
        assert await results(stream) == []
        assert other.streams[0].request_verified
