"""Exceptions as the log shows them: class and stack, never a local variable, a message only where it quotes no caller.

The message of any exception may quote what a caller sent: `invalid literal for int() with base 10: 'the patient'`. So a
message is shown only where its text comes from Tiro, from its connections, from the operating system, or from the
interpreter about itself.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import NotRequired, TypedDict

FRAMES_MAX = 40
"""Frames of a stack that are shown: half of them from its beginning, half from its end."""
CHAIN_MAX = 10
"""Causes of an exception that are shown."""
WITHHELD = "(withheld: it may quote what a caller sent; see TIRO_LOG_EXCEPTION_MESSAGES)"

_SHOWN_PACKAGES = ("tiro_core", "tiro_ingest", "tiro_streamer", "tiro_transcriber", "tiro_engines", "nats", "obstore")
_SHOWN_CLASSES: tuple[type[BaseException], ...] = (
    OSError,  # TimeoutError and ConnectionError among them
    AttributeError,
    ImportError,
    NameError,
    MemoryError,
    RecursionError,
    ZeroDivisionError,
    EOFError,
    BaseExceptionGroup,
)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class FrameDict(TypedDict):
    """A frame of a stack."""

    filename: str
    lineno: int
    name: str
    """The function."""


class ExceptionDict(TypedDict):
    """An exception as JSON shows it."""

    exc_type: str
    exc_value: str
    is_cause: bool
    """Whether the one before was raised `from` this one, rather than while it was handled."""
    frames: list[FrameDict]
    exceptions: NotRequired[list[list["ExceptionDict"]]]
    """The members of a group, each with its causes."""


class ExceptionDescriber:
    """Describes exceptions for the log.

    Args:
        show_messages: Show every message. For an operator who looks for a fault and may read what callers send.
    """

    def __init__(self, *, show_messages: bool = False) -> None:
        self._show_messages = show_messages

    def line(self, error: BaseException) -> str:
        """Class and message, for a field of a line."""
        return f"{type(error).__name__}: {self._message(error)}"

    def dicts(self, exc_info: ExcInfo) -> list[ExceptionDict]:
        """An exception and its causes, the last raised first."""
        return self._chain(exc_info[1])

    def text(self, exc_info: ExcInfo) -> str:
        """An exception and its causes as text, for people."""
        return "\n".join(_lines(self.dicts(exc_info), indent=""))

    def _chain(self, error: BaseException) -> list[ExceptionDict]:
        chain: list[ExceptionDict] = []
        following: BaseException | None = error
        is_cause = False
        while following is not None and len(chain) < CHAIN_MAX:
            chain.append(self._one(following, is_cause=is_cause))
            is_cause = following.__cause__ is not None
            context = None if following.__suppress_context__ else following.__context__
            following = following.__cause__ or context
        return chain

    def _one(self, error: BaseException, *, is_cause: bool) -> ExceptionDict:
        described: ExceptionDict = {
            "exc_type": type(error).__name__,
            "exc_value": self._message(error),
            "is_cause": is_cause,
            "frames": _frames(error.__traceback__),
        }
        if isinstance(error, BaseExceptionGroup):
            described["exceptions"] = [self._chain(member) for member in error.exceptions]
        return described

    def _message(self, error: BaseException) -> str:
        message = str(error)
        package = type(error).__module__.partition(".")[0]
        shown = self._show_messages or isinstance(error, _SHOWN_CLASSES) or package in _SHOWN_PACKAGES
        return message if shown or not message else WITHHELD


def _frames(trace: TracebackType | None) -> list[FrameDict]:
    frames: list[FrameDict] = [
        {"filename": frame.f_code.co_filename, "lineno": line, "name": frame.f_code.co_name}
        for frame, line in traceback.walk_tb(trace)
    ]
    if len(frames) <= FRAMES_MAX:
        return frames
    return [*frames[: FRAMES_MAX // 2], *frames[-FRAMES_MAX // 2 :]]


def _lines(chain: list[ExceptionDict], indent: str) -> Iterator[str]:
    for error in chain:
        if error is not chain[0]:
            yield f"{indent}{'raised from' if error['is_cause'] else 'raised while handling'}:"
        yield f"{indent}{error['exc_type']}: {error['exc_value']}"
        for frame in error["frames"]:
            yield f'{indent}  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
        for member in error.get("exceptions", []):
            yield from _lines(member, indent + "    ")
