"""Recordings become transcripts: real processes, real tiny.en."""

import pytest

from tests.e2e.speech import SAMPLES, encoded, error_rate, pcm16, wav
from tiro_client import AsyncClient, InvalidRequest, JobOptions, JobProgress, JobSegments, JobState, JobStateChanged
from tiro_formats.writer import TextFormat

TINY_EN = "sha256:1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"

pytestmark = pytest.mark.xdist_group("tiny.en stack")


async def test_a_recording_becomes_a_transcript(client: AsyncClient) -> None:
    """The words are right, and their times are in order and within the audio. Engine and model digest are named."""
    transcript = await client.transcribe(SAMPLES / "dictation.wav", language="en")
    words = [word for segment in transcript.segments for word in segment.words]
    assert error_rate(transcript.text, "dictation.wav") <= 0.1
    assert [word.start_seconds for word in words] == sorted(word.start_seconds for word in words)
    assert all(0 <= word.start_seconds <= word.end_seconds <= 10.2 for word in words)
    assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in words)
    assert (transcript.info.engine, transcript.info.model) == ("faster-whisper", "tiny.en")
    assert transcript.info.model_digest == TINY_EN
    assert transcript.info.warnings == ()


async def test_a_recording_with_long_pauses(client: AsyncClient) -> None:
    """Words around long pauses are not lost, and silence adds none."""
    transcript = await client.transcribe(SAMPLES / "panel.ogg")
    assert error_rate(transcript.text, "panel.ogg") <= 0.1


async def test_two_channels_are_mixed(client: AsyncClient) -> None:
    """Both channels of a stereo recording are in one transcript."""
    transcript = await client.transcribe(SAMPLES / "conversation.flac")
    assert error_rate(transcript.text, "conversation.flac") <= 0.15


async def test_channels_are_transcribed_separately(client: AsyncClient) -> None:
    """Each segment has its channel, and segments of both channels are in the order of their times."""
    transcript = await client.transcribe(SAMPLES / "conversation.flac", options=JobOptions(separate_channels=True))
    assert {segment.channel for segment in transcript.segments} == {1, 2}
    starts = [segment.start_seconds for segment in transcript.segments]
    assert starts == sorted(starts)
    assert error_rate(transcript.text, "conversation.flac") <= 0.25


async def test_a_part_of_a_recording(client: AsyncClient) -> None:
    """Words within the range are transcribed, with times of the whole recording. Prompt and beam size are accepted."""
    options = JobOptions(start_seconds=3.0, end_seconds=7.0, initial_prompt="Cicero and Tiro.", beam_size=1)
    transcript = await client.transcribe(SAMPLES / "dictation.wav", language="en", options=options)
    words = [word for segment in transcript.segments for word in segment.words]
    assert words
    assert all(3.0 <= word.start_seconds <= word.end_seconds <= 7.0 for word in words)
    assert transcript.info.audio_seconds == pytest.approx(4.0)


async def test_a_watcher_sees_the_job_from_its_first_state_to_its_last(client: AsyncClient) -> None:
    """Events have states in order, progress that grows to the whole, and all segments."""
    job = await client.submit(SAMPLES / "panel.ogg")
    events = [event async for event in client.watch(job)]
    states = [event.job.state for event in events if isinstance(event, JobStateChanged)]
    progress = [event.transcribed_seconds for event in events if isinstance(event, JobProgress)]
    text = " ".join(s.text for event in events if isinstance(event, JobSegments) for s in event.segments)
    assert states == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(61, abs=1)
    assert error_rate(text, "panel.ogg") <= 0.1


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("mp3", "libmp3lame", 44_100),
        ("mp4", "aac", 44_100),
        ("adts", "aac", 22_050),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("flac", "flac", 16_000),
        ("wav", "pcm_mulaw", 8_000),
        ("wav", "pcm_s24le", 48_000),
        ("aiff", "pcm_s16be", 16_000),
    ],
)
async def test_containers_and_codecs(client: AsyncClient, container: str, codec: str, rate: int) -> None:
    """Containers and codecs that FFmpeg reads are transcribed."""
    recording = encoded("dictation.wav", container, codec, rate)
    transcript = await client.transcribe(recording, language="en")
    assert error_rate(transcript.text, "dictation.wav") <= 0.15


async def test_silence_and_noise_are_an_empty_transcript(client: AsyncClient) -> None:
    """A recording without speech has no segment, and the warning NO_SPEECH."""
    transcript = await client.transcribe(SAMPLES / "no_speech.flac")
    assert transcript.segments == ()
    assert [warning.reason for warning in transcript.info.warnings] == ["NO_SPEECH"]


async def test_a_truncated_recording_is_transcribed_up_to_its_end(client: AsyncClient) -> None:
    """The existing part is transcribed, with the warning TRUNCATED_AUDIO."""
    whole = encoded("dictation.wav", "flac", "flac")
    transcript = await client.transcribe(whole[: len(whole) * 6 // 10], language="en")
    assert transcript.text.startswith("Long ago in Rome")
    assert "TRUNCATED_AUDIO" in [warning.reason for warning in transcript.info.warnings]


async def test_a_small_recording_needs_no_upload_of_its_own(client: AsyncClient) -> None:
    """A small recording may be in the request of its job."""
    transcript = await client.transcribe(wav(pcm16("dictation.wav")[: 5 * 16_000]), language="en")
    assert transcript.text.startswith("Long ago in Rome")


async def test_a_language_that_the_model_lacks_is_refused(client: AsyncClient) -> None:
    """tiny.en has English only: a job in Spanish is refused when it is submitted."""
    with pytest.raises(InvalidRequest) as caught:
        await client.submit(SAMPLES / "spanish.flac", language="es")
    assert caught.value.reason == "UNSUPPORTED_LANGUAGE"


async def test_jobs_are_listed_newest_first(client: AsyncClient) -> None:
    """The job that was submitted last is listed first."""
    first = await client.submit(SAMPLES / "dictation.wav", display_name="first")
    second = await client.submit(SAMPLES / "dictation.wav", display_name="second")
    listed = [job.name async for job in client.list(page_size=1)]
    assert listed[:2] == [second.name, first.name]
    await client.wait(first)
    await client.wait(second)


@pytest.mark.parametrize("text_format", ["txt", "srt", "vtt", "json"])
async def test_formats(client: AsyncClient, text_format: TextFormat) -> None:
    """A transcript is available as text, subtitles and JSON."""
    job = await client.submit(SAMPLES / "dictation.wav")
    await client.wait(job)
    text = await client.get_transcript(job, format=text_format)
    assert "secretary" in text
    assert ("-->" in text) == (text_format in ("srt", "vtt"))
