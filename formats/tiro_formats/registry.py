"""All output formats, found by name or by value of the contract's enum."""

from collections.abc import Mapping
from importlib import import_module
from typing import get_args

from tiro.transcription.v1.transcription_service_pb2 import TranscriptFormat
from tiro_formats import writers
from tiro_formats.writer import TextFormat, TranscriptWriter


def _load(name: TextFormat) -> TranscriptWriter:
    writer: TranscriptWriter = import_module(f"{writers.__name__}.{name}").WRITER
    return writer


WRITERS: Mapping[TextFormat, TranscriptWriter] = {name: _load(name) for name in get_args(TextFormat)}
"""The writer of each format, in the order of `TextFormat`."""
_BY_ENUM_VALUE = {writer.enum_value: writer for writer in WRITERS.values()}


def writer_named(name: str) -> TranscriptWriter:
    """The writer of a format.

    Raises:
        ValueError: No format has this name.
    """
    for writer in WRITERS.values():
        if writer.name == name:
            return writer
    raise ValueError(f"{name!r} is not an output format; the formats are {', '.join(WRITERS)}")


def writer_for(value: "TranscriptFormat.ValueType") -> TranscriptWriter | None:
    """The writer of a format of the contract. None for a value that asks for no text, such as SEGMENTS."""
    return _BY_ENUM_VALUE.get(value)
