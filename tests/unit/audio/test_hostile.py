"""Every file of the hostile corpus, probed and decoded."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tests.hostile.corpus import corpus
from tests.hostile.files import HostileFile, wav
from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe

FILES_MIN = 300
AT_ONCE = 4
CANARY = b"canary-of-a-local-file"
"""An even number of bytes: as 16-bit samples at the output's rate they are decoded unchanged."""


async def _outcomes(launcher: MediaLauncher, file: BinaryIO, limits: DecodeLimits) -> tuple[str, str, bytes]:
    """Return the refusals of probe and decode, empty where there is none, and the decoded samples."""
    probed = decoded = ""
    samples = bytearray()
    try:
        await probe(launcher, file, limits=limits)
    except AudioError as error:
        probed = error.reason
    try:
        async with decode(launcher, file, limits=limits) as stream:
            async for piece in stream:
                samples += piece.tobytes()
    except AudioError as error:
        decoded = error.reason
    return probed, decoded, bytes(samples)


async def test_each_file_is_decoded_or_refused_with_a_reason(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: Callable[[bytes], BinaryIO], tmp_path: Path
) -> None:
    """No file crashes its decoder, exhausts its time, reads another file or opens a connection."""
    canary = tmp_path / "canary.wav"
    canary.write_bytes(wav(payload=CANARY * 2_000))  # playable, so that following a reference would show
    limits = replace(limits, memory_bytes=512 * 1024 * 1024)
    wrong: list[str] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def check(hostile: HostileFile) -> None:
        async with slots:
            probed, decoded, samples = await _outcomes(launcher, as_file(hostile.data), limits)
        unwanted = {"DECODE_CRASHED", "DECODE_TIMEOUT"} & {probed, decoded}
        if unwanted or CANARY in samples or (hostile.reason is not None and {probed, decoded} != {hostile.reason}):
            wrong.append(f"{hostile.name}: {probed or 'probed'}, {decoded or 'decoded'}, wanted {hostile.reason}")

    with socket.create_server(("127.0.0.1", 0)) as port:
        port.setblocking(False)
        files = list(corpus(canary, port.getsockname()[1]))
        assert len(files) >= FILES_MIN
        assert len({file.name for file in files}) == len(files)
        await asyncio.gather(*(check(file) for file in files))
        assert wrong == []
        try:
            port.accept()
        except BlockingIOError:
            return
    raise AssertionError("a file opened a connection")
