"""The process that decoding processes are forked from.

The template process has imported everything and read nothing, so a fork is ready within milliseconds. It is not
`multiprocessing`'s fork server: each child of that one imports the service's main module again, inherits the
service's environment (secrets included), and shares its preloaded modules with all other users in the process.

Each request brings a job, a channel, a lifeline and maybe a file. The lifeline ties a child to its owner: when the
owner closes its end, or dies, the child is killed; when the child ends, its exit status is written there.
"""

import gc
import os
import selectors
import signal
import socket
import sys
import traceback

import av.audio.codeccontext
import av.audio.stream
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream  # noqa: F401 - these six: PyAV imports them at first use, when a child can open no file any more

from tiro_core.audio.child.jobs import run
from tiro_core.audio.wire import EXIT_STATUS, Job

REQUEST_BYTES_MAX = 4096
REQUEST_FDS_MAX = 3
READY = b"ready"


class Template:
    """Forks a child for each request, reaps it, and kills it when its owner closes the lifeline.

    Args:
        control: requests come from here; its end is the end of this process.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lifelines: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()

    def serve(self) -> None:
        """Serve until the owner closes the control socket, then kill what is left."""
        self._catch_signals()
        self._selector.register(self._control, selectors.EVENT_READ, None)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        gc.freeze()  # a collection in a child would copy every shared page
        self._control.send(READY)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take_request():
                        self._kill_all()
                        return
                elif key.fileobj is self._wake_read:
                    self._reap()
                elif key.data in self._lifelines:
                    self._kill_child(key.data)

    def _catch_signals(self) -> None:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the wake-up needs a Python handler to exist
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which ends this process in its own time

    def _take_request(self) -> bool:
        request, fds, _, _ = socket.recv_fds(self._control, REQUEST_BYTES_MAX, REQUEST_FDS_MAX)
        if not request:
            return False
        channel, lifeline = socket.socket(fileno=fds[0]), socket.socket(fileno=fds[1])
        file_fd = fds[2] if len(fds) == REQUEST_FDS_MAX else None
        pid = os.fork()
        if pid == 0:
            lifeline.close()
            self._become_child(request, channel, file_fd)
        channel.close()
        if file_fd is not None:
            os.close(file_fd)
        self._lifelines[pid] = lifeline
        self._selector.register(lifeline, selectors.EVENT_READ, pid)
        return True

    def _become_child(self, request: bytes, channel: socket.socket, file_fd: int | None) -> None:
        """Do the job and end the process without returning into the parent's loop."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for other in (self._control, self._wake_read, self._wake_write, *self._lifelines.values()):
                other.close()
            run(Job.from_bytes(request), channel, file_fd)
            status = 0
        except BaseException:  # noqa: BLE001 - the last frame of a process: every fault is reported and ends the process
            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        self._wake_read.recv(REQUEST_BYTES_MAX)
        while self._lifelines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            lifeline = self._lifelines.pop(pid)
            if lifeline in self._selector.get_map():
                self._selector.unregister(lifeline)
            try:
                lifeline.send(EXIT_STATUS.pack(os.waitstatus_to_exitcode(status)))
            except ConnectionError:
                pass  # the owner closed the lifeline without waiting for the status
            finally:
                lifeline.close()

    def _kill_child(self, pid: int) -> None:
        """Kill a child whose owner closed the lifeline; it is not reaped yet, so the number is still its own."""
        os.kill(pid, signal.SIGKILL)
        self._selector.unregister(self._lifelines[pid])

    def _kill_all(self) -> None:
        for pid in self._lifelines:
            os.kill(pid, signal.SIGKILL)
        for pid in self._lifelines:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    Template(socket.socket(fileno=int(sys.argv[1]))).serve()
