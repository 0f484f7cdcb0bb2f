"""Recordings become transcripts: real processes, real tiny.en."""

import pytest

from tests.e2e.speech import SAMPLES, encoded, error_rate, pcm16, wav
from tiro_client import AsyncClient, InvalidRequest, JobOptions, JobProgress, JobSegments, JobState, JobStateChanged

TINY_EN = "sha256:1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"

pytestmark = pytest.mark.xdist_group("tiny.en stack")


async def test_a_recording_becomes_a_transcript(client: AsyncClient) -> None:
    """The words are right, have times in order within the audio, and it is said what made them."""
    transcript = await client.transcribe(SAMPLES / "dictation.wav", language="en")
    words = [word for segment in transcript.segments for word in segment.words]
    assert error_rate(transcript.text, "dictation.wav") <= 0.1
    assert [word.start_seconds for word in words] == sorted(word.start_seconds for word in words)
    assert all(0 <= word.start_seconds <= word.end_seconds <= 10.2 for word in words)
    assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in words)
    assert (transcript.info.engine, transcript.info.model) == ("faster-whisper", "tiny.en")
    assert transcript.info.model_digest == TINY_EN
    assert transcript.info.warnings == ()


async def test_a_minute_with_pauses(client: AsyncClient) -> None:
    """Several voices and long pauses: nothing lost, nothing invented."""
    transcript = await client.transcribe(SAMPLES / "panel.ogg")
    assert error_rate(transcript.text, "panel.ogg") <= 0.1


async def test_two_channels_are_mixed(client: AsyncClient) -> None:
    """A stereo conversation is heard whole."""
    transcript = await client.transcribe(SAMPLES / "conversation.flac")
    assert error_rate(transcript.text, "conversation.flac") <= 0.15


async def test_channels_are_heard_each_for_itself(client: AsyncClient) -> None:
    """The two speakers of a conversation: every segment says in which channel, in the order of their time."""
    transcript = await client.transcribe(SAMPLES / "conversation.flac", options=JobOptions(separate_channels=True))
    assert {segment.channel for segment in transcript.segments} == {1, 2}
    starts = [segment.start_seconds for segment in transcript.segments]
    assert starts == sorted(starts)
    assert error_rate(transcript.text, "conversation.flac") <= 0.25


async def test_a_part_of_a_recording(client: AsyncClient) -> None:
    """Only what is said within it, at its times in the whole; a prompt and a narrow beam do no harm."""
    options = JobOptions(start_seconds=3.0, end_seconds=7.0, initial_prompt="Cicero and Tiro.", beam_size=1)
    transcript = await client.transcribe(SAMPLES / "dictation.wav", language="en", options=options)
    words = [word for segment in transcript.segments for word in segment.words]
    assert words
    assert all(3.0 <= word.start_seconds <= word.end_seconds <= 7.0 for word in words)
    assert transcript.info.audio_seconds == pytest.approx(4.0)


async def test_a_watcher_sees_the_job_from_its_first_state_to_its_last(client: AsyncClient) -> None:
    """States in order, progress that grows to the whole, segments before the end."""
    job = await client.submit(SAMPLES / "panel.ogg")
    events = [event async for event in client.watch(job)]
    states = [event.job.state for event in events if isinstance(event, JobStateChanged)]
    progress = [event.transcribed_seconds for event in events if isinstance(event, JobProgress)]
    told = " ".join(s.text for event in events if isinstance(event, JobSegments) for s in event.segments)
    assert states == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(61, abs=1)
    assert error_rate(told, "panel.ogg") <= 0.1


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
    """What FFmpeg reads is understood, whatever it came in."""
    recording = encoded("dictation.wav", container, codec, rate)
    transcript = await client.transcribe(recording, language="en")
    assert error_rate(transcript.text, "dictation.wav") <= 0.15


async def test_silence_and_noise_are_an_empty_transcript(client: AsyncClient) -> None:
    """No word is invented where nobody speaks, and that is said."""
    transcript = await client.transcribe(SAMPLES / "no_speech.flac")
    assert transcript.segments == ()
    assert [warning.reason for warning in transcript.info.warnings] == ["NO_SPEECH"]


async def test_a_truncated_recording_is_transcribed_as_far_as_it_goes(client: AsyncClient) -> None:
    """What is there is transcribed, and the rest is said to be missing."""
    whole = encoded("dictation.wav", "flac", "flac")
    transcript = await client.transcribe(whole[: len(whole) * 6 // 10], language="en")
    assert transcript.text.startswith("Long ago in Rome")
    assert "TRUNCATED_AUDIO" in [warning.reason for warning in transcript.info.warnings]


async def test_a_small_recording_needs_no_upload_of_its_own(client: AsyncClient) -> None:
    """Bytes may come with the job."""
    transcript = await client.transcribe(wav(pcm16("dictation.wav")[: 5 * 16_000]), language="en")
    assert transcript.text.startswith("Long ago in Rome")


async def test_a_language_the_model_does_not_know(client: AsyncClient) -> None:
    """tiny.en knows English only, which is said at the door."""
    with pytest.raises(InvalidRequest) as caught:
        await client.submit(SAMPLES / "spanish.flac", language="es")
    assert caught.value.reason == "UNSUPPORTED_LANGUAGE"


async def test_jobs_are_listed_newest_first(client: AsyncClient) -> None:
    """What was submitted last comes first."""
    first = await client.submit(SAMPLES / "dictation.wav", display_name="first")
    second = await client.submit(SAMPLES / "dictation.wav", display_name="second")
    listed = [job.name async for job in client.list(page_size=1)]
    assert listed[:2] == [second.name, first.name]
    await client.wait(first)
    await client.wait(second)


@pytest.mark.parametrize("text_format", ["txt", "srt", "vtt", "json"])
async def test_formats(client: AsyncClient, text_format: str) -> None:
    """A transcript comes as text, as subtitles, or as JSON."""
    job = await client.submit(SAMPLES / "dictation.wav")
    await client.wait(job)
    text = await client.get_transcript(job, format=text_format)  # type: ignore[call-overload] # one of the four
    assert "secretary" in text
    assert ("-->" in text) == (text_format in ("srt", "vtt"))
