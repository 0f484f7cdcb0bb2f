"""The `tiro` command as a process of its own."""

import asyncio
import fcntl
import os
import re
import struct
import sys
import termios
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

NO_VARIABLES: Mapping[str, str] = {}
POLL_SECONDS = 0.02
END_SECONDS_MAX = 20.0
"""How long a command may take to end, on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int
    out: str
    err: str


@asynccontextmanager
async def tiro(
    address: str, *arguments: str | Path, stdin: int | None = None, variables: Mapping[str, str] = NO_VARIABLES
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running command, with further variables in its environment. It is killed when the test ends before it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIRO_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tiro_client", *map(str, arguments)),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "TIRO_ADDRESS": address, **variables},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end_of(process: asyncio.subprocess.Process, sent: bytes | None = None) -> Ended:
    """Wait for a command's end.

    Args:
        process: The command.
        sent: What it reads from standard input.
    """
    async with asyncio.timeout(END_SECONDS_MAX):
        out, err = await process.communicate(sent)
    assert process.returncode is not None
    assert b"Traceback" not in err
    return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def silent_pipe(address: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running command that reads standard input, a pipe of which it has got the first bytes and no more."""
    read_end, write_end = os.pipe()
    try:
        async with tiro(address, *arguments, stdin=read_end) as process:
            os.write(write_end, b"RIFF")
            async with asyncio.timeout(END_SECONDS_MAX):
                while _unread(read_end):  # noqa: ASYNC110 - the kernel tells nobody that a pipe was read
                    await asyncio.sleep(POLL_SECONDS)
            yield process
    finally:
        os.close(read_end)
        os.close(write_end)


def _unread(pipe: int) -> int:
    """The bytes in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    assert isinstance(count, int)
    return count


async def run(address: str, *arguments: str | Path, variables: Mapping[str, str] = NO_VARIABLES) -> Ended:
    """Run a command to its end."""
    async with tiro(address, *arguments, variables=variables) as process:
        return await end_of(process)


def silence(path: Path, length_seconds: float) -> Path:
    """A WAV file of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(round(8000 * length_seconds) * 2))
    return path


def plain(text: str) -> str:
    """A message without the frame that is drawn around it, on one line."""
    return " ".join(re.sub(r"[\u2500-\u257f]", " ", text).split())


class Terminal:
    """What a command writes to its terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = b""

    async def read_until(self, text: str) -> str:
        """Read until a text has been written, and return everything up to it."""
        async with asyncio.timeout(END_SECONDS_MAX):
            while text.encode() not in self._shown:
                self._shown += await asyncio.to_thread(os.read, self._descriptor, 4096)
        return self._shown.decode()


@asynccontextmanager
async def on_terminal(
    address: str, *arguments: str | Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Terminal]]:
    """A running command whose stdout and stderr are a terminal of 80 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIRO_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tiro_client", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TIRO_ADDRESS": address, "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        yield process, Terminal(ours)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
