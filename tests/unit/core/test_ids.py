"""Ids and names that end up in keys and subjects."""

import uuid

import pytest

from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.ids import check_tenant, new_id
from tiro_core.messaging import subjects


def test_later_ids_sort_later() -> None:
    """Ids are UUIDs of version 7, which sort by creation time."""
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert {uuid.UUID(one).version for one in made} == {7}


@pytest.mark.parametrize("name", ["", "a.b", "A", "a b", "*", ">", "x" * 41, "a\n"])
def test_an_invalid_tenant_name_is_refused(name: str) -> None:
    """A dot or wildcard in a name would match other tenants' subjects."""
    with pytest.raises(ValueError, match="tenant"):
        check_tenant(name)


def test_a_model_is_one_token_of_a_subject() -> None:
    """A dot in a model's name is replaced: it would be two tokens."""
    subject = subjects.task("faster-whisper", "tiny.en", Transcription.LANE_DEFERRED, "t", "j")
    assert subject == "tiro.task.faster-whisper.tiny_en.deferred.t.j"
