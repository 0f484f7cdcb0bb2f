"""The engines that a request may name: those of the catalogue, and those that only live workers run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.routing.availability import ModelAvailability
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import Catalogue
from tiro_engines.price import Price
from tiro_ingest.resources.paging import page_token, position_of

PAGE_SIZE_DEFAULT = 50
_SCOPE = "engines"

ByEngine = Mapping[str, Sequence[WorkerRecord]]
"""The live workers of each engine that has any."""


class EngineList:
    """The engines and models that the deployment can serve now.

    Args:
        catalogue: The engines and models known by name.
        workers: The live workers.
        resolver: Knows the defaults of requests that name no engine, or no model.
    """

    def __init__(self, catalogue: Catalogue, workers: WorkerDirectory, resolver: RecognitionResolver) -> None:
        self._catalogue = catalogue
        self._workers = workers
        self._resolver = resolver

    def page(self, page_size: int, token: str) -> tuple[Sequence[Engine], str]:
        """A page of engines in the order of their names, and the token of the next page, empty on the last.

        An engine that appears or disappears between two pages may be missing; no other engine is missed or repeated.

        Raises:
            TiroError: INVALID_ARGUMENT; the token is not one that this service returned.
        """
        after = position_of(token, _SCOPE) if token else ""
        alive = self._alive()
        names = sorted(name for name in {*self._catalogue.engines, *alive} if name > after)
        page = names[: page_size or PAGE_SIZE_DEFAULT]
        following = page_token(_SCOPE, page[-1]) if len(page) < len(names) else ""
        return [self._engine(name, alive.get(name, ())) for name in page], following

    def _alive(self) -> ByEngine:
        by_engine: defaultdict[str, list[WorkerRecord]] = defaultdict(list)
        for worker in self._workers.alive():
            by_engine[worker.engine].append(worker)
        return by_engine

    def _engine(self, name: str, workers: Sequence[WorkerRecord]) -> Engine:
        return Engine(
            name=f"engines/{name}",
            taken_by_default=name == self._resolver.default_engine,
            default_model=self._resolver.default_model(name, workers),
            models=self._models(name, workers),
            worker_count=len(workers),
        )

    def _models(self, engine: str, workers: Sequence[WorkerRecord]) -> Sequence[Engine.Model]:
        catalogued = self._catalogue.engines.get(engine)
        known = catalogued.models if catalogued else {}
        others = sorted({worker.model for worker in workers} - known.keys())
        models = []
        for name in (*known, *others):
            offer = ModelAvailability(known.get(name), [worker for worker in workers if worker.model == name])
            models.append(_model(name, offer, catalogued.price_of(offer.known) if catalogued else None))
        return models


def _model(name: str, offer: ModelAvailability, price: Price | None) -> Engine.Model:
    whole = offer.whole
    return Engine.Model(
        name=name,
        language_codes=sorted(whole.languages),
        capabilities=sorted(whole.features),
        price_per_minute=price.to_proto() if price else None,
        worker_count=len(offer.workers),
        free_job_slots=offer.free_job_slots,
        free_session_slots=offer.free_session_slots,
    )
