"""Results of the test server, as the SDK reads them."""

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
    """Markers give words with their times in the audio, for any size of chunks."""
    read = await transcribe(server, TWO_UTTERANCES, chunk_bytes=chunk_bytes)
    first, second = (result for result in read if not result.is_partial)
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
    """A result keeps its id from its first partial to its final, and each partial has one more word."""
    read = await transcribe(server, TWO_UTTERANCES)
    found = [(result.is_partial, result.alternatives[0].transcript) for result in read]
    assert found == [
        (True, "w1"),
        (True, "w1 w2"),
        (True, "w1 w2 w3"),
        (False, "w1 w2 w3."),
        (True, "w4"),
        (False, "w4."),
    ]
    ids = [result.result_id for result in read]
    assert len(set(ids[:4])) == len(set(ids[4:])) == 1
    assert ids[0] != ids[4]


async def test_partials_are_revised(server: TranscribeServer) -> None:
    """With `revises` the last word of each partial changes in the next result."""
    server.default = Script(revises=True)
    read = await transcribe(server, speech([1, 2]))
    assert [result.alternatives[0].transcript for result in read] == ["w1x", "w1 w2x", "w1 w2."]


async def test_a_final_is_sent_in_a_pause(server: TranscribeServer) -> None:
    """The final of an utterance is sent after a long enough pause, while the stream is open."""
    stream = await start(server)
    await send(stream, speech([7], 0.3))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 1)
    await send(stream, speech(0.2))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].sent == 2)
    await leave(stream)


@pytest.mark.parametrize(("stability", "unstable"), [("low", 3), ("medium", 2), ("high", 1)])
async def test_stabilization(server: TranscribeServer, stability: str, unstable: int) -> None:
    """In a partial all words but the last ones are stable, in a final all."""
    read = await transcribe(
        server,
        speech([1, 2, 3, 4]),
        enable_partial_results_stabilization=True,
        partial_results_stability=stability,
    )
    stable = [[item.stable for item in result.alternatives[0].items] for result in read]
    assert stable[3] == [True] * (4 - unstable) + [False] * unstable
    assert stable[4] == [True] * 5


async def test_optional_fields_are_absent_by_default(server: TranscribeServer) -> None:
    """Items have no stability and no speaker unless requested."""
    item = (await transcribe(server, speech([1])))[-1].alternatives[0].items[0]
    assert (item.stable, item.speaker) == (None, None)


async def test_speakers(server: TranscribeServer) -> None:
    """With speaker labels each word has its speaker."""
    read = await transcribe(server, TWO_UTTERANCES, show_speaker_label=True)
    finals = [result for result in read if not result.is_partial]
    assert [[item.speaker for item in final.alternatives[0].items] for final in finals] == [["0"] * 4, ["1"] * 2]


async def test_channels(server: TranscribeServer) -> None:
    """Two interleaved channels are transcribed separately."""
    channels = [np.frombuffer(speech(words), dtype=np.int16) for words in ([1, 2], [3, 4])]
    pcm = np.stack(channels, axis=1).tobytes()
    read = await transcribe(server, pcm, enable_channel_identification=True, number_of_channels=2)
    finals = {result.channel_id: result.alternatives[0].transcript for result in read if not result.is_partial}
    assert finals == {"ch_0": "w1 w2.", "ch_1": "w3 w4."}
    assert server.streams[0].audio_seconds == pytest.approx(0.6)


async def test_a_language_is_identified(server: TranscribeServer) -> None:
    """With language identification results have the language."""
    options: dict[str, Any] = {"language_code": None, "identify_language": True, "language_options": ["en-US", "de-DE"]}
    read = await transcribe(server, speech([1]), preferred_language="de-DE", **options)
    assert read[-1].language_code == "de-DE"


async def test_the_record_of_a_stream(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server records the parameters, the audio and its lead over real time, and the verified signatures."""
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
    """Concurrent streams do not affect each other."""
    one, other = await asyncio.gather(
        transcribe(server, speech([1, 2], 0.6, [3])), transcribe(server, speech([11, 12], 0.6, [13]))
    )
    texts = [[r.alternatives[0].transcript for r in read if not r.is_partial] for read in (one, other)]
    assert texts == [["w1 w2.", "w3."], ["w11 w12.", "w13."]]
    assert [record.end for record in server.streams] == [End.FINISHED] * 2


async def test_silence_has_no_results(server: TranscribeServer) -> None:
    """A stream without words ends without results."""
    assert await transcribe(server, speech(1.0)) == []


async def test_results_beyond_the_flow_control_window_arrive(server: TranscribeServer) -> None:
    """Results beyond the first flow-control window of HTTP/2 all arrive."""
    words = list(range(100))
    read = await transcribe(server, speech(words), chunk_bytes=32000)
    assert read[-1].alternatives[0].transcript == " ".join(f"w{word}" for word in words) + "."
    assert len(read) == 101


async def test_temporary_credentials(server: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Credentials with a session token are accepted."""
    keys = StaticCredentialResolver(ACCESS_KEY, SECRET_KEY, "token of the tests")
    with running_transcribe(tmp_path_factory.mktemp("other"), token="token of the tests") as other:  # noqa: S106
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(other.ca_file))
            stream = await start(other, credentials=keys)
        await stream.input_stream.end_stream()
        assert await results(stream) == []
        assert other.streams[0].request_verified
