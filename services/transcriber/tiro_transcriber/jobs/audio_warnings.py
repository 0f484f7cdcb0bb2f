"""The warnings about a recording's audio, apart from its text."""

from collections.abc import Iterator

from tiro.speech.v1.audio_pb2 import AudioTrack
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_CHANNELS_CANCEL,
    WARNING_REASON_DAMAGED_AUDIO,
    WARNING_REASON_OTHER_TRACKS,
    WARNING_REASON_TIMESTAMPS,
    WARNING_REASON_TRUNCATED_AUDIO,
    WARNING_REASON_UNREAD_BYTES,
    Warning,  # noqa: A004 - the contract's word
)
from tiro_core.audio.report import DecodeReport
from tiro_transcriber.jobs.recording import Recording


def audio_warnings(report: DecodeReport | None) -> Iterator[Warning]:
    """The warnings that follow from the decoder's report. None: it has not reached the end of the recording."""
    if report is None:
        return
    if report.damaged_packets:
        yield Warning(
            reason=WARNING_REASON_DAMAGED_AUDIO, message=f"{report.damaged_packets} damaged packets were skipped"
        )
    if report.truncated:
        text = f"{report.missing_seconds:.1f} s of the announced audio are missing at the end"
        yield Warning(reason=WARNING_REASON_TRUNCATED_AUDIO, message=text)
    if report.clock_restarts:
        times = "once" if report.clock_restarts == 1 else f"{report.clock_restarts} times"
        text = f"the recording's timestamps go back or jump {times}; the sound continues there without a gap"
        yield Warning(reason=WARNING_REASON_TIMESTAMPS, message=text)
    if report.unread_bytes:
        text = f"{report.unread_bytes} bytes behind the sound were not read: another recording may have been appended"
        yield Warning(reason=WARNING_REASON_UNREAD_BYTES, message=text)
    if report.single_channel_seconds:
        text = (
            f"the channels cancel each other out when they are mixed: of {report.single_channel_seconds:.1f} s one"
            " channel was transcribed"
        )
        yield Warning(reason=WARNING_REASON_CHANNELS_CANCEL, message=text)


def track_warnings(recording: Recording) -> Iterator[Warning]:
    """The warning that names the sound tracks that are not in the transcript, unless the caller has named one."""
    if len(recording.tracks) < 2 or recording.is_track_chosen:  # noqa: PLR2004 - one track has no others
        return
    others = "; ".join(_described(track) for track in recording.tracks if track.number != recording.track)
    text = f"sound track {recording.track} was transcribed; `audio_track` chooses another: {others}"
    yield Warning(reason=WARNING_REASON_OTHER_TRACKS, message=text)


def _described(track: AudioTrack) -> str:
    facts = [
        track.codec if track.decodable else f"{track.codec}, which is not accepted",
        track.language_code,
        f'"{track.title}"' if track.title else "",
    ]
    return f"{track.number} ({', '.join(fact for fact in facts if fact)})"
