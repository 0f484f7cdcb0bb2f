"""The standard streams of the command, whatever the locale."""

import codecs
import os
import sys
from contextlib import suppress
from typing import TextIO

LIBRARY_VARIABLES = ("GRPC_VERBOSITY", "GRPC_TRACE")
"""Variables that ask gRPC's core for its own lines on stderr."""
_STDERR = 2


def prepare_streams() -> None:
    """Make stdout and stderr take any text, and keep the lines of libraries out of stderr.

    In the C locale, which knows ASCII only, text is written in UTF-8, as PEP 538 does. Another encoding gets what it
    has, and `?` for the rest. Bytes of file names that are not text become `?` as well.
    """
    if not any(os.environ.get(variable) for variable in LIBRARY_VARIABLES):
        _separate_libraries()
    for stream in (sys.stdout, sys.stderr):
        _prepare(stream)


def _separate_libraries() -> None:
    """Write stderr to a descriptor of its own, and nothing to the one that libraries use.

    gRPC's core prints a line for each failed handshake, and the sound system several when it is opened. The command
    says in one line what concerns a person. gRPC's own variable has to be set before the first import of this package.
    """
    with suppress(OSError, ValueError, AttributeError):  # closed, or replaced by a program that embeds the command
        if sys.stderr.fileno() == _STDERR:
            own = os.dup(_STDERR)
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
            sys.stderr = os.fdopen(own, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)


def _prepare(stream: TextIO | None) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if stream is None or reconfigure is None:
        return
    encoding = codecs.lookup(stream.encoding or "ascii").name
    reconfigure(encoding="utf-8" if encoding == "ascii" else encoding, errors="replace")
