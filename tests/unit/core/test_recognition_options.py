"""Options that a model has no counterpart for."""

import pytest

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.errors import TiroError
from tiro_core.routing.options import check_recognition_options, check_region

ALL = frozenset({Engine.CAPABILITY_HOTWORDS, Engine.CAPABILITY_WORD_TIME_OFFSETS})


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (RecognitionConfig(model="m", hotwords=["Tiro"]), "config.hotwords"),
        (RecognitionConfig(model="m", enable_word_time_offsets=True), "config.enable_word_time_offsets"),
    ],
)
def test_an_option_without_counterpart_is_refused(asked: RecognitionConfig, field: str) -> None:
    """By name, and with the model's; where the model has it, it is taken."""
    with pytest.raises(TiroError, match="'m'") as caught:
        check_recognition_options(asked, frozenset(), "config")
    assert caught.value.reason == reasons.ERROR_REASON_UNSUPPORTED_OPTION
    assert [violation.field for violation in caught.value.violations] == [field]
    check_recognition_options(asked, ALL, "config")


def test_what_is_left_out_is_never_refused() -> None:
    """Nor is a default."""
    check_recognition_options(RecognitionConfig(hotwords=[], enable_word_time_offsets=False), frozenset(), "config")
    check_region(RecognitionConfig(region=""), frozenset(), "config")


def test_word_times_as_a_wish() -> None:
    """They are struck out where the model gives none, and stay where it does."""
    wish = RecognitionConfig(enable_word_time_offsets=True, word_time_offsets_optional=True)
    check_recognition_options(wish, ALL, "config")
    assert wish.enable_word_time_offsets
    check_recognition_options(wish, frozenset(), "config")
    assert not wish.enable_word_time_offsets


def test_a_region_that_is_not_allowed() -> None:
    """The error has those that are."""
    check_region(RecognitionConfig(region="eu-west-1"), frozenset({"eu-west-1"}), "config")
    with pytest.raises(TiroError) as caught:
        check_region(RecognitionConfig(region="us-east-1"), frozenset({"eu-west-1", "eu-central-1"}), "config")
    assert caught.value.reason == reasons.ERROR_REASON_REGION_NOT_ALLOWED
    assert caught.value.metadata == {"regions": "eu-central-1,eu-west-1"}
    assert [violation.field for violation in caught.value.violations] == ["config.region"]
