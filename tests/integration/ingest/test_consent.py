"""Consent to cloud engines, and their daily limits, by the deployment's rules."""

from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.integration.ingest.conftest import Ingest, StartIngest, detail, refused
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.routing.usage import UsageCounter

CLOUD = "amazon-transcribe"
CONFIG = {"engine": CLOUD, "language_code": "en"}


@pytest.fixture
def rules(tenant: str, tmp_path: Path) -> Path:
    """Rules that allow the cloud for the test's tenant, up to an hour of audio a day."""
    file = tmp_path / "routing.toml"
    file.write_text(
        f'[[tenants]]\nname = "{tenant}"\nclouds = ["{CLOUD}"]\ncloud_seconds_a_day = 3600\n', encoding="utf-8"
    )
    return file


async def test_without_rules_a_cloud_is_refused(ingest: Ingest, speech: bytes) -> None:
    """A caller that names a cloud engine is refused unless the deployment's rules allow it."""
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "CLOUD_NOT_ALLOWED"):
        await ingest.transcribe(content=speech, config=CONFIG)


async def test_the_record_has_the_allowed_clouds(
    start_ingest: StartIngest, bus: Bus, tenant: str, rules: Path, speech: bytes
) -> None:
    """The record of a job for a cloud allows that cloud, for its worker to check. Other jobs allow none."""
    ingest = await start_ingest(routing=rules)
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    for config, allowed in ((CONFIG, [CLOUD]), ({"engine": "fake"}, [])):
        job = await ingest.transcribe(content=speech, config=config)
        stored = await records.get(subjects.record(tenant, job.name.removeprefix("transcriptions/")))
        assert stored is not None
        assert list(stored.value.allowed_clouds) == allowed


async def test_the_daily_limit_of_a_tenant(
    start_ingest: StartIngest, bus: Bus, tenant: str, rules: Path, speech: bytes
) -> None:
    """Beyond today's limit a job for a cloud is refused, with the time until the next day."""
    await UsageCounter(bus).add(tenant, CLOUD, 3600.0)
    ingest = await start_ingest(routing=rules)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "CLOUD_LIMIT_REACHED") as errors:
        await ingest.transcribe(content=speech, config=CONFIG)
    assert 0 < detail(errors[0], error_details_pb2.RetryInfo).retry_delay.ToSeconds() <= 24 * 3600
    await ingest.transcribe(content=speech, config={"engine": "fake"})
