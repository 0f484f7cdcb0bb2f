"""Validation of a job's options."""

from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.integration.ingest.conftest import Ingest, StartIngest, detail, refused
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.clock import duration

INVALID = grpc.StatusCode.INVALID_ARGUMENT
TINY_EN = {"engine": "faster-whisper", "model": "tiny.en"}
AMAZON = {"engine": "amazon-transcribe", "language_code": "en"}


@pytest.fixture
async def ingest(start_ingest: StartIngest, tmp_path: Path) -> Ingest:
    """A client of an ingest whose rules allow the cloud engine."""
    rules = tmp_path / "routing.toml"
    rules.write_text('[[tenants]]\nname = "*"\nclouds = ["amazon-transcribe"]\n', encoding="utf-8")
    return await start_ingest(routing=rules)


@pytest.mark.parametrize(
    ("options", "config", "reason"),
    [
        ({"diarization": True}, {}, "UNSUPPORTED_OPTION"),
        ({"translate_to_english": True}, TINY_EN, "UNSUPPORTED_OPTION"),
        ({"initial_prompt": "Cicero"}, AMAZON, "UNSUPPORTED_OPTION"),
        ({"temperature": 0.0}, AMAZON, "UNSUPPORTED_OPTION"),
        ({"beam_size": 1}, AMAZON, "UNSUPPORTED_OPTION"),
        ({"disable_voice_activity_filter": True}, AMAZON, "UNSUPPORTED_OPTION"),
        ({"multilingual": True}, {"language_code": "en"}, "INVALID_REQUEST"),
        ({"audio_start": {"seconds": 11}}, {}, "AUDIO_RANGE_EMPTY"),
        ({"audio_track": 2}, {}, "AUDIO_TRACK_NOT_FOUND"),
        ({"audio_track": -1}, {}, "INVALID_REQUEST"),
    ],
)
async def test_an_option_that_the_model_lacks_is_refused(
    ingest: Ingest, speech: bytes, options: dict[str, object], config: dict[str, str], reason: str
) -> None:
    """A job with an unsupported or contradictory option is refused with the path of the option."""
    async with refused(INVALID, reason) as errors:
        await ingest.transcribe(content=speech, options=options, config=config)
    (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
    assert violation.field == f"transcription.options.{next(iter(options))}"


async def test_hotwords_for_a_model_without_them(ingest: Ingest, speech: bytes) -> None:
    """Hotwords are refused with the model's name. Options with default values are accepted."""
    async with refused(INVALID, "UNSUPPORTED_OPTION") as errors:
        await ingest.transcribe(content=speech, config={**AMAZON, "hotwords": ["Cicero"]})
    (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
    assert violation.field == "transcription.config.hotwords"
    assert "'streaming'" in violation.description
    defaults = TranscriptionOptions(initial_prompt="", beam_size=0, disable_voice_activity_filter=False)
    await ingest.transcribe(content=speech, config={**AMAZON, "hotwords": []}, options=defaults)


async def test_replacements(ingest: Ingest, speech: bytes) -> None:
    """Replacements are stored with the job. Invalid ones, too many, and too long ones are refused with their field."""
    pair = {"find": "tyro", "replace": "Tiro"}
    job = await ingest.transcribe(content=speech, config={"replacements": [pair]})
    assert [(kept.find, kept.replace) for kept in job.config.replacements] == [("tyro", "Tiro")]
    many = [{"find": f"word {number}", "replace": "x"} for number in range(1001)]
    long = [{"find": f"{number:0100}", "replace": "x" * 100} for number in range(164)]
    for pairs, field in [
        ([pair, {"find": "...", "replace": "x"}], "replacements.find"),
        ([pair, {"find": "x", "replace": ""}], "replacements.replace"),
        (many, "replacements"),
        (long, "replacements"),
    ]:
        async with refused(INVALID, "INVALID_REQUEST") as errors:
            await ingest.transcribe(content=speech, config={"replacements": pairs})
        (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
        assert violation.field == f"transcription.config.{field}"


async def test_a_region_that_no_worker_has_is_refused(ingest: Ingest, speech: bytes) -> None:
    """A region is refused by an engine without regions, and if it is malformed."""
    async with refused(INVALID, "REGION_NOT_ALLOWED") as errors:
        await ingest.transcribe(content=speech, config={"region": "eu-west-1"})
    assert detail(errors[0], error_details_pb2.ErrorInfo).metadata["regions"] == ""
    (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
    assert violation.field == "transcription.config.region"
    async with refused(INVALID, "INVALID_REQUEST"):
        await ingest.transcribe(content=speech, config={"region": "Europe/West"})


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 1.5},
        {"beam_size": 11},
        {"initial_prompt": "x" * 801},
        {"audio_start": {"seconds": 2}, "audio_end": {"seconds": 1}},
        {"audio_end": {"seconds": 0}},
        {"audio_start": {"seconds": -1}},
    ],
)
async def test_invalid_values_are_refused(ingest: Ingest, speech: bytes, options: dict[str, object]) -> None:
    """Values that break the contract's rules are INVALID_REQUEST."""
    async with refused(INVALID, "INVALID_REQUEST"):
        await ingest.transcribe(content=speech, options=options)


async def test_options_are_stored_and_returned(ingest: Ingest, speech: bytes) -> None:
    """A job returns the options with which it was created."""
    asked = TranscriptionOptions(
        audio_start=duration(1), audio_end=duration(5), initial_prompt="Cicero", temperature=0.0, beam_size=1
    )
    translated = {"engine": "faster-whisper", "model": "base"}
    assert (await ingest.transcribe(content=speech, options=asked, config=TINY_EN)).options == asked
    both = TranscriptionOptions(translate_to_english=True)
    assert (await ingest.transcribe(content=speech, options=both, config=translated)).options == both
