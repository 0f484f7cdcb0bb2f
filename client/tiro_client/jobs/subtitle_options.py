"""How a transcript is split into subtitles."""

from dataclasses import dataclass

from tiro.transcription.v1 import transcription_service_pb2 as service


@dataclass(frozen=True, slots=True)
class SubtitleOptions:
    """How formats of subtitles, such as SRT and WebVTT, are split. Fields that are 0 take the service's defaults."""

    line_columns_max: int = 0
    """Columns per line at most, 10 to 200; wide characters count two."""
    cue_lines_max: int = 0
    """Lines per cue at most, 1 to 5."""
    reading_speed: int = 0
    """Characters per second that a viewer can read, 5 to 100."""

    def to_proto(self) -> service.SubtitleOptions:
        """The options as a message."""
        return service.SubtitleOptions(
            line_columns_max=self.line_columns_max, cue_lines_max=self.cue_lines_max, reading_speed=self.reading_speed
        )
