"""Owning the template process, and starting decoding processes from it."""

import asyncio
import os
import socket
import sys
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from tiro_core.audio.media_process import READ_BUFFER_BYTES, MediaProcess
from tiro_core.audio.wire import Job

TEMPLATE_MODULE = "tiro_core.audio.child.template"
TEMPLATE_START_SECONDS = 30.0
READY_BYTES_MAX = 64
ENVIRONMENT_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL")
"""The variables that Python needs to find its modules. The others of the service's environment may hold secrets."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy's library would begin a thread for each further core when it is imported. A process with threads must not fork,
and one process a job is the unit of parallel work."""


class HasFileno(Protocol):
    """An open file of the operating system."""

    def fileno(self) -> int:
        """Return its descriptor."""


class _Pair(NamedTuple):
    ours: socket.socket
    theirs: socket.socket


class MediaLauncher:
    """Starts decoding processes; one per service.

    Linux only: descriptors travel over a SOCK_SEQPACKET pair.

    Args:
        processes_max: decoding processes at the same time; `start` waits while there are as many.
    """

    def __init__(self, *, processes_max: int = 64) -> None:
        self._places = asyncio.Semaphore(processes_max)
        self._starting = asyncio.Lock()
        self._template: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None

    async def __aenter__(self) -> Self:
        await self._ensure_template()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop_template()

    async def start(self, job: Job, file: HasFileno | int | None = None) -> MediaProcess:
        """Start a decoding process.

        Args:
            job: what it does and may cost.
            file: the regular file to read; None for a live stream. The caller may close it once this returns.

        Raises:
            OSError: the system has no room for another process or descriptor.
        """
        await self._places.acquire()
        try:
            return await self._start(job, file)
        except BaseException:
            self._places.release()
            raise

    async def _start(self, job: Job, file: HasFileno | int | None) -> MediaProcess:
        control = await self._ensure_template()
        with ExitStack() as theirs, ExitStack() as unwind:
            channel, lifeline = self._pair(theirs, unwind), self._pair(theirs, unwind)
            reader, writer = await asyncio.open_unix_connection(sock=channel.ours, limit=READ_BUFFER_BYTES)
            unwind.callback(writer.transport.abort)
            fds = [channel.theirs.fileno(), lifeline.theirs.fileno()]
            if file is not None:
                fds.append(file if isinstance(file, int) else file.fileno())
            try:
                socket.send_fds(control, [job.to_bytes()], fds)
            except ConnectionError:  # the template died since the last start
                socket.send_fds(await self._ensure_template(replacing=control), [job.to_bytes()], fds)
            unwind.pop_all()
        return MediaProcess(
            reader,
            writer,
            lifeline.ours,
            timeout_seconds=job.limits.timeout_seconds,
            live=file is None,
            on_end=self._places.release,
        )

    @staticmethod
    def _pair(theirs: ExitStack, unwind: ExitStack) -> "_Pair":
        pair = _Pair(*socket.socketpair())
        unwind.enter_context(pair.ours)
        theirs.enter_context(pair.theirs)
        return pair

    async def _ensure_template(self, *, replacing: socket.socket | None = None) -> socket.socket:
        """Return the control socket of a running template.

        Args:
            replacing: the control socket of one that was found dead.
        """
        async with self._starting:
            if self._control is not None and self._control is not replacing:
                return self._control
            await self._stop_template()
            try:
                async with asyncio.timeout(TEMPLATE_START_SECONDS):
                    return await self._start_template()
            except BaseException:
                await self._stop_template()
                raise

    async def _start_template(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        with theirs:
            ours.setblocking(False)
            self._template = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                TEMPLATE_MODULE,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT_KEPT if name in os.environ} | ONE_THREAD,
                start_new_session=True,  # a terminal's Ctrl-C goes to the service alone, which ends this process
            )
        if not await asyncio.get_running_loop().sock_recv(ours, READY_BYTES_MAX):
            raise RuntimeError("the decoding template process did not start: see its error output")
        return ours

    async def _stop_template(self) -> None:
        """Close the control socket, at which the template kills its children and ends."""
        control, self._control = self._control, None
        template, self._template = self._template, None
        if control is not None:
            control.close()
        if template is not None:
            await template.wait()
