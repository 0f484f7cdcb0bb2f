"""The pace of clients: bursts, lag, pauses and changes of the config."""

import asyncio
from typing import Any

import pytest

from tests.integration.streamer.conftest import (
    Client,
    Conversation,
    Request,
    StartStreamer,
    pieces,
    read_all,
    read_until,
)
from tests.support.scripted_worker import ScriptedWorker
from tiro.speech.v1.recognition_pb2 import Replacement
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.clock import duration
from tiro_core.errors import from_status, reason_name

SECOND = bytes(32_000)
LONG = 600
"""Seconds of audio, 19 MB: more than the buffers of HTTP/2 and the kernel take."""


async def _burst(call: Any, seconds: int) -> None:
    for _ in range(seconds):
        await call.write(Request(audio=SECOND))
    await call.done_writing()


async def test_a_burst_is_slowed_to_the_pace_of_the_worker(
    start_streamer: StartStreamer, worker: ScriptedWorker
) -> None:
    """A client that sends faster than a worker processes is read no further than the lead, and loses nothing."""
    client = await start_streamer(lead_seconds_max=5)
    worker.script.reports_progress = False
    call = await client.start()
    sending = asyncio.create_task(_burst(call, LONG))
    lag = await read_until(call, "lag")
    assert lag.lag.behind.ToMilliseconds() >= 2000
    behind = (await read_until(call, "lag")).lag.behind.ToMilliseconds()
    assert 5000 <= behind <= 6000  # the lead, and the message that went beyond it
    received = await worker.only_session()
    assert len(received.pcm16) <= 6 * len(SECOND)
    assert not sending.done()
    worker.script.reports_progress = True
    await worker.report_progress()
    conversation: Conversation = await read_all(call)
    await sending
    assert conversation.last.session_ended.audio_duration.seconds == LONG
    received.check_contiguous()
    assert len(received.pcm16) == LONG * len(SECOND)


async def test_the_end_of_a_lag_is_reported(client: Client, worker: ScriptedWorker) -> None:
    """A client that got a lag gets its end."""
    worker.script.reports_progress = False
    call = await client.start()
    await call.write(Request(audio=3 * SECOND))
    assert (await read_until(call, "lag")).lag.behind.ToMilliseconds() == 3000
    await worker.report_progress()
    while (await read_until(call, "lag")).lag.behind.ToMilliseconds():
        pass
    await call.done_writing()
    await read_all(call)


async def test_a_pause_is_written_once(client: Client, worker: ScriptedWorker) -> None:
    """One pause is written for a client that sends no audio after speech, also if it sends keep-alives."""
    call = await client.start()
    await call.write(Request(audio=SECOND))
    await read_until(call, "final")  # the scripted worker's answer to a pause
    await call.write(Request(keep_alive=streaming.KeepAlive()))
    await call.done_writing()
    await read_all(call)
    received = await worker.only_session()
    assert [message.WhichOneof("input") for message in received.inputs] == ["pcm16", "pause", "end"]
    received.check_contiguous()


async def test_a_change_of_config_is_answered_and_acknowledged(client: Client, worker: ScriptedWorker) -> None:
    """A change applies at its sample, is answered with the config in use, and counts as a stored control."""
    call = await client.start()
    update = streaming.UpdateConfig(
        hotwords=streaming.Hotwords(phrases=["Tiro"]),
        replacements=streaming.Replacements(pairs=[Replacement(find="tyro", replace="Tiro")]),
        language_code="es",
    )
    await call.write(Request(audio=SECOND))
    await call.write(Request(update_config=update))
    updated = await read_until(call, "config_updated")
    assert list(updated.config_updated.recognition.hotwords) == ["Tiro"]
    assert [pair.find for pair in updated.config_updated.recognition.replacements] == ["tyro"]
    assert updated.config_updated.offset.seconds == 1
    while (await read_until(call, "audio_ack")).audio_ack.control_count != 1:
        pass
    await call.done_writing()
    await read_all(call)
    received = await worker.only_session()
    assert [message.update_config for message in received.inputs if message.HasField("update_config")] == [update]


@pytest.mark.parametrize(
    ("update", "reason", "field"),
    [
        (streaming.UpdateConfig(language_code="xx"), "UNSUPPORTED_LANGUAGE", "update_config.language_code"),
        (
            streaming.UpdateConfig(hotwords=streaming.Hotwords(phrases=101 * ["Tiro"])),
            "INVALID_REQUEST",
            "update_config.hotwords.phrases",
        ),
        (
            streaming.UpdateConfig(endpointing=streaming.Endpointing(silence=duration(60))),
            "INVALID_REQUEST",
            "update_config.endpointing.silence",
        ),
        (
            streaming.UpdateConfig(
                replacements=streaming.Replacements(pairs=4 * [Replacement(find="x", replace=10_000 * "y")])
            ),
            "INVALID_REQUEST",
            "update_config.replacements",
        ),
    ],
)
async def test_a_change_that_cannot_be_served(
    client: Client, worker: ScriptedWorker, update: streaming.UpdateConfig, reason: str, field: str
) -> None:
    """The change is answered with the reason and counts as a control; the session goes on with its config."""
    call = await client.start()
    await call.write(Request(audio=SECOND))
    await call.write(Request(update_config=update))
    refused = await read_until(call, "config_refused")
    assert refused.sequence
    assert refused.config_refused.offset.seconds == 1
    error = from_status(refused.config_refused.error)
    assert reason_name(error.reason) == reason
    assert error.violations[0].field.startswith(field)
    await call.write(Request(audio=SECOND))
    await call.write(Request(update_config=streaming.UpdateConfig(language_code="ES")))
    await read_until(call, "config_updated")
    while (await read_until(call, "audio_ack")).audio_ack.control_count != 2:
        pass
    await call.done_writing()
    assert (await read_all(call)).kinds()[-2:] == ["final", "session_ended"]
    received = await worker.only_session()
    assert len(received.pcm16) == 2 * len(SECOND)
    assert sum(message.HasField("update_config") for message in received.inputs) == 1


@pytest.mark.parametrize("channels", [2, 6])
async def test_channels_are_mixed(client: Client, worker: ScriptedWorker, channels: int) -> None:
    """Interleaved channels are mixed to one, for any boundaries of messages."""
    frames = b"".join((1000 * (1 + number % channels)).to_bytes(2, "little") for number in range(channels * 16_000))
    announced = client.config().config.format
    announced.channel_count = channels
    await client.converse(client.config(audio_format=announced), *pieces(frames, 9_999))
    received = await worker.only_session()
    mean = sum(1000 * (1 + number) for number in range(channels)) // channels
    assert received.pcm16 == mean.to_bytes(2, "little") * 16_000
