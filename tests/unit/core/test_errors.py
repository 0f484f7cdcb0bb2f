"""Errors as a gRPC status."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.errors import ERRORS_BY_REASON
from tiro_core.errors import invalid_argument, reason_from_name, reason_name, resource_exhausted


def test_a_status_carries_its_reason_and_domain() -> None:
    """A status has an ErrorInfo with reason, domain and metadata, and the violated field."""
    status = invalid_argument(
        reasons.ERROR_REASON_UNKNOWN_MODEL, "no", field_path="config.model", models="a,b"
    ).to_status()
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert (info.reason, info.domain, dict(info.metadata)) == ("UNKNOWN_MODEL", "tiro", {"models": "a,b"})
    assert request.field_violations[0].field == "config.model"


def test_a_reached_limit_has_a_retry_delay() -> None:
    """RESOURCE_EXHAUSTED has a RetryInfo."""
    error = resource_exhausted(reasons.ERROR_REASON_QUEUE_FULL, "full", retry_after=timedelta(seconds=1.5))
    retry = error_details_pb2.RetryInfo()
    assert error.to_status().details[1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=1.5)


@pytest.mark.parametrize("name", sorted(ERRORS_BY_REASON))
def test_every_audio_error_is_in_the_contract(name: str) -> None:
    """Each reason of an audio error is an ErrorReason of the contract."""
    assert reason_name(reason_from_name(name)) == name
