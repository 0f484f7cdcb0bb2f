"""The registry of writers: one for each text format of the contract."""

import re
from typing import get_args

import pytest

from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_SEGMENTS,
    TRANSCRIPT_FORMAT_SRT,
    TRANSCRIPT_FORMAT_UNSPECIFIED,
    TranscriptFormat,
)
from tiro_formats.registry import WRITERS, writer_for, writer_named
from tiro_formats.writer import TextFormat, TranscriptWriter

AS_SEGMENTS = {TRANSCRIPT_FORMAT_UNSPECIFIED, TRANSCRIPT_FORMAT_SEGMENTS}


def test_each_text_format_of_the_contract_has_one_writer() -> None:
    """No value of the enum is without a writer, and no two writers share a value, a name or a file suffix."""
    writers = list(WRITERS.values())
    assert sorted(writer.enum_value for writer in writers) == sorted(set(TranscriptFormat.values()) - AS_SEGMENTS)
    assert [writer.name for writer in writers] == list(get_args(TextFormat))
    assert len({writer.file_suffix for writer in writers}) == len(writers)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_writer_is_found_by_name_and_by_enum_value(writer: TranscriptWriter) -> None:
    """Callers of the library give the name, callers of the contract the enum value that has the same name."""
    assert writer_named(writer.name) is writer
    assert writer_for(writer.enum_value) is writer
    assert TranscriptFormat.Name(writer.enum_value) == f"TRANSCRIPT_FORMAT_{writer.name.upper()}"


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_writer_describes_its_files(writer: TranscriptWriter) -> None:
    """The suffix has its dot, and the media type its two parts."""
    assert re.fullmatch(r"(\.[a-z]+)+", writer.file_suffix)
    assert re.fullmatch(r"[a-z]+/[a-z.-]+", writer.media_type)


def test_other_formats_have_no_writer() -> None:
    """SEGMENTS is not a text format. An unknown name is refused with the known ones."""
    assert [writer_for(value) for value in AS_SEGMENTS] == [None, None]
    assert writer_for(TRANSCRIPT_FORMAT_SRT) is not None
    with pytest.raises(ValueError, match="'doc' is not an output format; the formats are txt, srt, vtt"):
        writer_named("doc")
