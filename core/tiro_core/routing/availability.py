"""The capabilities and free slots of one model: by the catalogue, and by the live workers that have loaded it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.routing.options import OF_ALL_WORKERS
from tiro_engines.catalogue import Model
from tiro_engines.interface import Capability, Feature

_SET_BY_OPERATORS = frozenset({Capability.CAPABILITY_BATCH, Capability.CAPABILITY_LIVE})
"""Capabilities that a worker may lack although its engine has them: it has no slots for jobs, or for live sessions."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The capabilities of one live worker with its model, or those of the model in the catalogue."""

    languages: frozenset[str]
    """As in `Capabilities.languages`."""
    features: frozenset[Feature]
    regions: frozenset[str] = frozenset()
    """The regions that a request may choose. Empty where the engine has no regions."""


def offer_of(worker: WorkerRecord) -> Offer:
    """The offer of a worker."""
    return Offer(frozenset(worker.language_codes), frozenset(worker.capabilities), frozenset(worker.regions))


@dataclass(frozen=True, slots=True)
class ModelAvailability:
    """A model of the catalogue, of live workers, or of both.

    Live workers take precedence over the catalogue: a deployment may run other weights under the same name.
    """

    known: Model | None
    """The model in the catalogue. None where it does not have the model."""
    workers: Sequence[WorkerRecord]
    """The live workers that have loaded the model."""

    @property
    def offers(self) -> Sequence[Offer]:
        """One offer for each live worker; without workers that of the catalogue; none where the model is unknown."""
        if self.workers:
            return [offer_of(worker) for worker in self.workers]
        return [Offer(self.known.languages, self.known.features | OF_ALL_WORKERS)] if self.known else []

    @property
    def whole(self) -> Offer:
        """The union of the offers. A capability of `OF_ALL_WORKERS` is in it only where every offer has it."""
        return self.union(self.offers)

    def union(self, offers: Sequence[Offer]) -> Offer:
        """The same, of the offers that a caller has."""
        known = self.known.features & _SET_BY_OPERATORS if self.known else frozenset[Feature]()
        missing = frozenset[Feature]().union(*(OF_ALL_WORKERS - offer.features for offer in offers))
        return Offer(
            frozenset[str]().union(*(offer.languages for offer in offers)),
            known.union(*(offer.features for offer in offers)) - missing,
            frozenset[str]().union(*(offer.regions for offer in offers)),
        )

    @property
    def free_job_slots(self) -> int:
        """The number of further jobs that its workers can begin now."""
        return sum(max(0, worker.job_slots - worker.jobs) for worker in self.workers)

    @property
    def free_session_slots(self) -> int:
        """The number of further live sessions that its workers can take now."""
        return sum(_free_session_slots(worker) for worker in self.workers)


def _free_session_slots(worker: WorkerRecord) -> int:
    if worker.sessions_refused:
        return 0
    # Until a worker has measured its capacity, its slots count.
    capacity = min(worker.session_slots, worker.session_capacity or worker.session_slots)
    return max(0, capacity - worker.sessions)
