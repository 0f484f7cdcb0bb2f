"""Decoding processes: bounded, killable, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import psutil
import pytest

from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import TEMPLATE_MODULE, MediaLauncher
from tiro_core.audio.limits import MIB, DecodeLimits
from tiro_core.audio.live import LiveFormat, decode_live
from tiro_core.audio.probe import probe
from tiro_core.audio.stream import PcmStream

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]


def template_of(process: psutil.Process) -> psutil.Process:
    """Return the child from which decoding processes are forked. Other children may be servers of other tests."""
    (template,) = [child for child in process.children() if TEMPLATE_MODULE in child.cmdline()]
    return template


def decoder_of(process: psutil.Process) -> psutil.Process:
    """Return the only decoding process."""
    (decoder,) = template_of(process).children()
    return decoder


async def read_to_the_end(stream: PcmStream) -> int:
    """Read to the end, and return the number of samples."""
    return sum([chunk.size async for chunk in stream])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition on another process."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(0.01)


async def test_a_reader_that_pauses_makes_the_decoder_wait(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A decoder whose samples are not read blocks on its channel, and does not fill memory."""
    file = as_file(encode("flac", "flac", 16_000, seconds=300.0))
    async with decode(launcher, file, limits=limits) as stream:
        first = await anext(stream)
        decoder = decoder_of(psutil.Process())
        await until(lambda: decoder.status() == psutil.STATUS_SLEEPING)
        buffered = decoder.memory_info().rss
        samples = first.size + await read_to_the_end(stream)
        assert buffered < 100 * MIB
    assert samples == 300 * 16_000


async def test_leaving_early_leaves_no_process(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """The decoder has ended when its context has."""
    file = as_file(encode("flac", "flac", 16_000, seconds=300.0))
    async with decode(launcher, file, limits=limits) as stream:
        await anext(stream)
        decoder = decoder_of(psutil.Process())
    assert not decoder.is_running()
    assert template_of(psutil.Process()).children() == []


async def test_cancelling_leaves_no_process(launcher: MediaLauncher, limits: DecodeLimits) -> None:
    """The decoder of a task that is cancelled while it waits for audio has ended after the task."""
    waiting = asyncio.Event()

    async def listen() -> None:
        async with decode_live(launcher, LiveFormat.FLAC, limits=limits) as stream:
            waiting.set()
            await anext(stream)

    task = asyncio.create_task(listen())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert template_of(psutil.Process()).children() == []


async def test_a_crash_of_a_decoder_affects_its_own_job_only(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A crash is DECODE_CRASHED for its own file, and the next file is decoded."""
    file = as_file(encode("flac", "flac", 16_000, seconds=300.0))
    async with decode(launcher, file, limits=limits) as stream:
        await anext(stream)
        decoder_of(psutil.Process()).send_signal(signal.SIGSEGV)
        with pytest.raises(AudioError) as refusal:
            await read_to_the_end(stream)
    assert refusal.value.reason == "DECODE_CRASHED"
    assert (await probe(launcher, file, limits=limits)).duration_seconds == pytest.approx(300)


async def test_a_decoder_that_hangs_is_killed(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A decoder that sends nothing within the limit is killed, with DECODE_TIMEOUT."""
    file = as_file(encode("flac", "flac", 16_000, seconds=300.0))
    async with decode(launcher, file, limits=replace(limits, timeout_seconds=1.0)) as stream:
        await anext(stream)
        decoder_of(psutil.Process()).suspend()
        with pytest.raises(AudioError) as refusal:
            await read_to_the_end(stream)
    assert refusal.value.reason == "DECODE_TIMEOUT"
    assert template_of(psutil.Process()).children() == []


async def test_a_live_decoder_that_hangs_at_the_end_is_killed(launcher: MediaLauncher, limits: DecodeLimits) -> None:
    """A read has a limit once the input has ended, even if the read began before."""
    async with decode_live(launcher, LiveFormat.FLAC, limits=replace(limits, timeout_seconds=0.5)) as stream:
        me = psutil.Process()
        await until(lambda: bool(template_of(me).children()))
        decoder_of(me).suspend()
        waiting = asyncio.create_task(read_to_the_end(stream))
        await asyncio.sleep(0)
        await stream.end()
        with pytest.raises(AudioError) as refusal:
            await waiting
    assert refusal.value.reason == "DECODE_TIMEOUT"


async def test_processor_time_is_limited(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A decoder beyond its processor time is DECODE_TIMEOUT."""
    file = as_file(encode("wav", "pcm_s16le", 8_000, seconds=3600.0))
    async with decode(
        launcher, file, rate=48_000, limits=replace(limits, duration_seconds_max=1e9, cpu_seconds=1)
    ) as stream:
        with pytest.raises(AudioError) as refusal:
            await read_to_the_end(stream)
    assert refusal.value.reason == "DECODE_TIMEOUT"


async def test_memory_is_limited(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A decoder beyond its memory limit refuses the audio or crashes, without effect on its parent."""
    file = as_file(encode("flac", "flac", 16_000))
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, file, limits=replace(limits, memory_bytes=8 * MIB))
    assert refusal.value.reason in {"AUDIO_UNDECODABLE", "DECODE_CRASHED"}


async def test_the_template_has_one_thread(launcher: MediaLauncher) -> None:
    """The process that is forked has no other thread: a lock that one holds would stay locked in the child."""
    assert template_of(psutil.Process()).num_threads() == 1


async def test_a_dead_template_is_replaced(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """After the template process was killed, the next decoder starts a new one."""
    file = as_file(encode("flac", "flac", 16_000))
    template = template_of(psutil.Process())
    template.kill()
    await until(lambda: not template.is_running() or template.status() == psutil.STATUS_ZOMBIE)
    assert (await probe(launcher, file, limits=limits)).duration_seconds == pytest.approx(1.0)


async def test_decoding_slots_are_limited_and_released(limits: DecodeLimits, as_file: AsFile, encode: Encode) -> None:
    """With one slot, a second decoder starts when the first has ended."""
    async with MediaLauncher(processes_max=1) as launcher:
        async with decode_live(launcher, LiveFormat.FLAC, limits=limits):
            second = asyncio.create_task(probe(launcher, as_file(encode("flac", "flac", 16_000)), limits=limits))
            done, _ = await asyncio.wait({second}, timeout=0.2)
            assert not done
        assert (await second).codec == "flac"


OWNER = """
import asyncio
from tiro_core.audio.launcher import TEMPLATE_MODULE, MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.live import LiveFormat, decode_live

async def main():
    async with MediaLauncher() as launcher, decode_live(launcher, LiveFormat.FLAC, limits=DecodeLimits()):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_decoders_end_with_their_owner(end: signal.Signals) -> None:
    """A service that is killed, or interrupted by Ctrl-C with its process group, leaves no process."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        process = psutil.Process(owner.pid)
        while len(process.children(recursive=True)) < 2:  # the template, and the decoder that it is forking
            time.sleep(0.01)
        family = process.children(recursive=True)
        os.killpg(owner.pid, end)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
