"""The choice of an engine by a deployment's routing rules."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.errors import TiroError, invalid_argument, reason_name
from tiro_core.messaging.mirror import Mirror
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import Choice, RequestConstraints, Router
from tiro_core.routing.rules import RoutingError, load_routing
from tiro_core.routing.workers import WorkerDirectory
from tiro_core.sessions.engine_change import move, next_route
from tiro_engines.catalogue import load_catalogue

RULES = """
[[tenants]]
name = "acme"
clouds = ["amazon-transcribe", "house-cloud"]
cloud_seconds_a_day = 3600

[[policies]]
name = "balanced"
routes = [{ engine = "faster-whisper", model = "tiny.en" }, { engine = "amazon-transcribe" }]

[[policies]]
name = "cloud"
routes = [{ engine = "amazon-transcribe" }]
"""
WHISPER, AMAZON = ("faster-whisper", "tiny.en"), ("amazon-transcribe", "streaming")


class Workers(Mirror[WorkerRecord]):
    """Live workers."""

    def __init__(self, records: Sequence[WorkerRecord]) -> None:
        super().__init__()
        self._all = records

    def written_within(self, seconds: float) -> Iterator[WorkerRecord]:
        """Return all workers."""
        return iter(self._all)


@dataclass(frozen=True)
class Usage:
    """A fixed usage of cloud engines."""

    seconds: float = 0.0

    def seconds_today(self, tenant: str, engines: Collection[str]) -> float:
        """The same for all tenants, for all cloud engines together."""
        return self.seconds if {"amazon-transcribe", "house-cloud"} == set(engines) else 0.0


def directory(*models: tuple[str, str], slots: int = 4) -> WorkerDirectory:
    """A live worker for each engine and model."""
    languages = ["de", "en"]
    return WorkerDirectory(
        Workers(
            [
                WorkerRecord(
                    engine=engine, model=model, session_slots=slots, language_codes=languages, cloud="cloud" in engine
                )
                for engine, model in models
            ]
        )
    )


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The file of the rules."""
    file = tmp_path / "routing.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


def choose(
    rules: Path | None,
    engine: str,
    *,
    model: str = "",
    tenant: str = "acme",
    language: str = "en",
    workers: WorkerDirectory | None = None,
    full: Sequence[str] = (),
    unfit: Sequence[str] = (),
    used_seconds: float = 0.0,
) -> Choice:
    """Choose an engine for a request. `full` engines have no free slot, `unfit` ones lack an option."""
    workers = workers or directory(WHISPER, AMAZON)
    catalogue = load_catalogue()

    def check(config: RecognitionConfig) -> None:
        if config.engine in unfit:
            raise invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, "not one of its options")

    router = Router(
        RecognitionResolver(catalogue, workers),
        catalogue,
        load_routing(rules, catalogue),
        workers,
        Usage(used_seconds),
    )
    asked = RecognitionConfig(engine=engine, model=model, language_code=language)
    constraints = RequestConstraints(
        check=check,
        has_room=lambda config: config.engine not in full,
        is_served=lambda config: bool(workers.offering(config.engine, config.model)),
    )
    return router.choose(tenant, asked, "config", constraints)


def ways(choice: Choice) -> list[tuple[str, str]]:
    """The choice and its alternatives, in order."""
    config = choice.config
    return [(config.engine, config.model), *((one.engine, one.model) for one in choice.alternatives)]


def test_the_first_route_with_free_slots_is_chosen(rules: Path) -> None:
    """The other routes are alternatives, in the policy's order."""
    assert ways(choose(rules, "balanced")) == [WHISPER, AMAZON]
    assert ways(choose(rules, "balanced", full=["faster-whisper"])) == [AMAZON, WHISPER]


def test_without_free_slots_the_first_served_route_is_chosen(rules: Path) -> None:
    """If all routes are full, the first with a live worker is chosen; if none has one, the first route."""
    everyone = ["faster-whisper", "amazon-transcribe"]
    assert ways(choose(rules, "balanced", full=everyone)) == [WHISPER, AMAZON]
    assert ways(choose(rules, "balanced", full=everyone, workers=directory(AMAZON))) == [AMAZON, WHISPER]
    assert ways(choose(rules, "balanced", full=everyone, workers=directory())) == [WHISPER, AMAZON]


def test_a_route_without_the_language_is_skipped(rules: Path) -> None:
    """tiny.en has English only, by the catalogue, even without a live worker."""
    assert ways(choose(rules, "balanced", language="de", workers=directory(AMAZON))) == [AMAZON]


def test_a_route_that_lacks_an_option_is_skipped(rules: Path) -> None:
    """An engine that lacks an option is neither chosen nor an alternative."""
    assert ways(choose(rules, "balanced", unfit=["amazon-transcribe"])) == [WHISPER]


def test_without_consent_a_policy_chooses_no_cloud(rules: Path) -> None:
    """A cloud is neither chosen nor an alternative, and a policy of clouds only is refused."""
    assert ways(choose(rules, "balanced", tenant="other", full=["faster-whisper"])) == [WHISPER]
    with pytest.raises(TiroError, match="no audio of tenant 'other'") as refused:
        choose(rules, "cloud", tenant="other")
    assert reason_name(refused.value.reason) == "NO_ROUTE"


@pytest.mark.parametrize("without", [True, False])
def test_a_cloud_that_is_named_needs_consent_too(rules: Path, without: bool) -> None:
    """A request for a cloud engine by name is refused without consent, with or without rules."""
    with pytest.raises(TiroError) as refused:
        choose(None if without else rules, "amazon-transcribe", tenant="other")
    assert reason_name(refused.value.reason) == "CLOUD_NOT_ALLOWED"
    assert choose(rules, "amazon-transcribe").allowed_clouds == ["amazon-transcribe"]
    assert choose(rules, "faster-whisper").allowed_clouds == []
    # By name, so that another cloud's worker is not let through by it.
    assert choose(rules, "balanced").allowed_clouds == ["amazon-transcribe"]


def test_a_tenant_beyond_its_daily_cloud_limit_gets_no_cloud(rules: Path) -> None:
    """Beyond the limit policies skip clouds. A request for a cloud is refused with the time until the next day."""
    full = ["faster-whisper"]
    assert ways(choose(rules, "balanced", full=full, used_seconds=3599.9)) == [AMAZON, WHISPER]
    assert ways(choose(rules, "balanced", full=full, used_seconds=3600)) == [WHISPER]
    with pytest.raises(TiroError) as refused:
        choose(rules, "amazon-transcribe", used_seconds=3600)
    assert reason_name(refused.value.reason) == "CLOUD_LIMIT_REACHED"
    with pytest.raises(TiroError) as refused:
        choose(rules, "cloud", used_seconds=3600)
    assert reason_name(refused.value.reason) == "CLOUD_LIMIT_REACHED"
    assert refused.value.retry_after is not None
    assert timedelta(0) < refused.value.retry_after <= timedelta(days=1)


def test_a_worker_may_say_that_its_engine_is_a_cloud(rules: Path) -> None:
    """A worker's record may mark an engine as a cloud that is not in the catalogue."""
    workers = directory(("house-cloud", "own"))
    assert choose(rules, "house-cloud", workers=workers).allowed_clouds == ["house-cloud"]
    with pytest.raises(TiroError, match="is a cloud"):
        choose(rules, "house-cloud", tenant="other", workers=workers)


def test_a_policy_chooses_the_model_itself(rules: Path) -> None:
    """A request with a policy and a model is refused."""
    with pytest.raises(TiroError, match="chooses the model itself") as refused:
        choose(rules, "balanced", model="base")
    assert refused.value.violations[0].field == "config.model"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policies = 3", "policies"),
        ('[[policies]]\nname = "a"\nroutes = []', "routes"),
        ('[[policies]]\nname = "a"\nroutes = [{ engin = "fake" }]', "engin"),
        ('[[policies]]\nname = "fake"\nroutes = [{ engine = "fake" }]', "has the name of an engine"),
        ('[[policies]]\nname = "a"\nroutes = [{ engine = "fake", model = "none" }]', "unknown model 'none'"),
        ('[[tenants]]\nname = "a"\n[[tenants]]\nname = "a"', "tenant 'a' is defined twice"),
        ('[[tenants]]\nname = "A.b"', "name"),
        ("[[policies", "TOML|expected|Expected"),
    ],
)
def test_invalid_rules_are_refused(tmp_path: Path, text: str, says: str) -> None:
    """Invalid rules raise an error with the file and the fault."""
    file = tmp_path / "routing.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RoutingError, match=says) as error:
        load_routing(file, load_catalogue())
    assert str(file) in str(error.value)


def test_a_session_moves_to_the_first_alternative_with_free_slots() -> None:
    """A moved session waits for the first alternative with free slots. The others stay alternatives."""
    first, second = Route(engine="fake", model="markers"), Route(engine=AMAZON[0], model=AMAZON[1])
    record = SessionRecord(state=SessionRecord.STATE_ACTIVE, failure_count=3, alternatives=[first, second])
    record.recognition.engine, record.recognition.language_code = "faster-whisper", "en"
    assert next_route(record, directory(("fake", "markers"), slots=0)) is None
    to = next_route(record, directory(AMAZON))
    assert to == second
    move(record, second)
    assert (record.recognition.engine, record.recognition.model) == AMAZON
    assert (record.state, record.failure_count, list(record.alternatives)) == (SessionRecord.STATE_WAITING, 0, [first])


def test_a_session_moves_only_to_workers_that_can_serve_it() -> None:
    """A worker that lacks the session's language does not count."""
    record = SessionRecord(alternatives=[Route(engine=AMAZON[0], model=AMAZON[1])])
    record.recognition.language_code = "fi"
    assert next_route(record, directory(AMAZON)) is None
