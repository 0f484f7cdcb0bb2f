"""A small disk for one node, which can be filled: a tmpfs in a mount namespace of its own.

It needs no root where user namespaces are allowed (`unshare -Urm`).
"""

import errno
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FILLER = "filler"
_PIECE = bytes(64 * 1024)
END_SECONDS_MAX = 10.0


class NoNamespaces(Exception):  # noqa: N818 - reads as the condition it reports
    """This machine does not allow user namespaces. The message has the reason."""


class Disk:
    """A disk of limited size at `folder`, visible to programs that are started with `command_prefix`."""

    def __init__(self, folder: Path, holder_pid: int) -> None:
        self._holder_pid = holder_pid
        # The folder as seen inside the namespace. Outside, the folder is empty.
        self._inside = Path(f"/proc/{holder_pid}/root{folder}")

    @property
    def command_prefix(self) -> list[str]:
        """The prefix of a command that is to see the disk. The prefix executes the command in its own process."""
        return ["nsenter", "--target", str(self._holder_pid), "--user", "--mount", "--preserve-credentials"]

    def fill(self) -> None:
        """Fill the disk with a file."""
        with (self._inside / _FILLER).open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(_PIECE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Remove that file."""
        (self._inside / _FILLER).unlink(missing_ok=True)

    @property
    def free_bytes(self) -> int:
        """Free space in bytes."""
        return shutil.disk_usage(self._inside).free


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Disk]:
    """A disk at an existing, empty folder. It keeps its files until the end, also while no program uses it.

    Raises:
        NoNamespaces: This machine does not allow it.
    """
    missing = [tool for tool in ("unshare", "nsenter", "mount") if shutil.which(tool) is None]
    if missing:
        raise NoNamespaces(f"there is no {', '.join(missing)}")
    mount = f'mount -t tmpfs -o size={size_mib}m tmpfs "$0" && echo mounted && exec cat'
    # `cat` reads from our pipe: the holder exits with this process, even if it is killed.
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with holder:
        try:
            if holder.stdout is None or holder.stdout.readline() != "mounted\n":
                _, errors = holder.communicate(timeout=END_SECONDS_MAX)
                raise NoNamespaces(errors.strip())
            yield Disk(folder, holder.pid)
        finally:
            holder.kill()
