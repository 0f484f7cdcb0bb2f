"""What a deployment offers with one model: by the catalogue, and by the live workers that have it loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_engines.catalogue import Model

Capability: TypeAlias = "Engine.Capability.ValueType"

# A worker's slots tell what it was told to take, not what its engine could do.
_BY_SLOTS = frozenset({Engine.CAPABILITY_BATCH, Engine.CAPABILITY_LIVE})


@dataclass(frozen=True, slots=True)
class ModelAvailability:
    """A model that the catalogue has, or that a worker runs, or both.

    What live workers say goes before what the catalogue says: a deployment may run other weights under a name.
    """

    known: Model | None
    """As the catalogue has it. None where it has it not."""
    workers: Sequence[WorkerRecord]
    """The live workers that have it loaded."""

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639 codes. Empty where nobody knows the model."""
        if self.workers:
            return frozenset(code for worker in self.workers for code in worker.language_codes)
        return self.known.languages if self.known else frozenset()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be done with it. Empty where nobody knows the model."""
        known = _of_model(self.known) if self.known else frozenset()
        if not self.workers:
            return known
        return (known & _BY_SLOTS).union(*map(_of_worker, self.workers))

    @property
    def regions(self) -> frozenset[str]:
        """Where a request may have its audio heard, by any of its workers."""
        return frozenset(region for worker in self.workers for region in worker.regions)

    @property
    def free_job_slots(self) -> int:
        """How many jobs more its workers would begin at once."""
        return sum(max(0, worker.job_slots - worker.jobs) for worker in self.workers)

    @property
    def free_session_slots(self) -> int:
        """How many live sessions more its workers would take."""
        return sum(_session_room(worker) for worker in self.workers)


def _of_model(model: Model) -> frozenset[Capability]:
    can = {
        Engine.CAPABILITY_BATCH: model.batch,
        Engine.CAPABILITY_LIVE: model.live,
        Engine.CAPABILITY_WORD_TIME_OFFSETS: model.word_time_offsets,
        Engine.CAPABILITY_TRANSLATION: model.translates,
        Engine.CAPABILITY_LANGUAGE_DETECTION: model.detects_language,
        Engine.CAPABILITY_HOTWORDS: model.hotwords,
        Engine.CAPABILITY_INITIAL_PROMPT: model.initial_prompt,
        Engine.CAPABILITY_TEMPERATURE: model.temperature,
        Engine.CAPABILITY_BEAM_SIZE: model.beam_size,
        Engine.CAPABILITY_VOICE_ACTIVITY_FILTER: model.voice_activity_filter,
    }
    return frozenset(capability for capability, has in can.items() if has)


def _of_worker(worker: WorkerRecord) -> frozenset[Capability]:
    can = {
        Engine.CAPABILITY_BATCH: worker.job_slots > 0,
        Engine.CAPABILITY_LIVE: worker.session_slots > 0,
        Engine.CAPABILITY_WORD_TIME_OFFSETS: worker.word_time_offsets,
        Engine.CAPABILITY_TRANSLATION: worker.translates,
        Engine.CAPABILITY_LANGUAGE_DETECTION: worker.detects_language,
    }
    return frozenset(capability for capability, has in can.items() if has).union(worker.capabilities)


def _session_room(worker: WorkerRecord) -> int:
    if worker.sessions_refused:
        return 0
    # A worker that has measured nothing goes by its slots.
    fit = min(worker.session_slots, worker.session_capacity or worker.session_slots)
    return max(0, fit - worker.sessions)
