"""What a deployment offers with one model: by the catalogue, and by the live workers that have it loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.routing.options import OF_ALL_WORKERS
from tiro_engines.catalogue import Model
from tiro_engines.interface import Capability, Feature

_SET_BY_OPERATORS = frozenset({Capability.CAPABILITY_BATCH, Capability.CAPABILITY_LIVE})
"""A worker may have no slots for jobs, or for live sessions, although its engine could serve them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one live worker can do with its model, or what the catalogue says of the model."""

    languages: frozenset[str]
    """ISO 639 codes."""
    features: frozenset[Feature]
    regions: frozenset[str] = frozenset()
    """Where a request may have its audio processed. Empty where it cannot choose."""


def offer_of(worker: WorkerRecord) -> Offer:
    """What a worker can do."""
    return Offer(frozenset(worker.language_codes), frozenset(worker.capabilities), frozenset(worker.regions))


@dataclass(frozen=True, slots=True)
class ModelAvailability:
    """A model that the catalogue has, or that a worker runs, or both.

    Live workers go before the catalogue: a deployment may run other weights under a name.
    """

    known: Model | None
    """The catalogue's. None where it does not have the model."""
    workers: Sequence[WorkerRecord]
    """The live workers that have it loaded."""

    @property
    def offers(self) -> Sequence[Offer]:
        """One for each live worker; without workers the catalogue's; none where the model is unknown."""
        if self.workers:
            return [offer_of(worker) for worker in self.workers]
        return [Offer(self.known.languages, self.known.features | OF_ALL_WORKERS)] if self.known else []

    @property
    def whole(self) -> Offer:
        """What any of the offers has. What workers of all engines have counts only where each of the offers has it."""
        offers = self.offers
        known = self.known.features & _SET_BY_OPERATORS if self.known else frozenset[Feature]()
        missing = frozenset[Feature]().union(*(OF_ALL_WORKERS - offer.features for offer in offers))
        return Offer(
            frozenset[str]().union(*(offer.languages for offer in offers)),
            known.union(*(offer.features for offer in offers)) - missing,
            frozenset[str]().union(*(offer.regions for offer in offers)),
        )

    @property
    def free_job_slots(self) -> int:
        """How many more jobs its workers would begin at once."""
        return sum(max(0, worker.job_slots - worker.jobs) for worker in self.workers)

    @property
    def free_session_slots(self) -> int:
        """How many more live sessions its workers would take."""
        return sum(_free_session_slots(worker) for worker in self.workers)


def _free_session_slots(worker: WorkerRecord) -> int:
    if worker.sessions_refused:
        return 0
    # Until a worker has measured its capacity, its slots count.
    capacity = min(worker.session_slots, worker.session_capacity or worker.session_slots)
    return max(0, capacity - worker.sessions)
