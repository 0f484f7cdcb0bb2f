"""The stream of live audio, which one server writes behind its acknowledgements, and a cluster must not.

On one server it is made with `persist_mode: async`: flushed before the acknowledgement like jobs are, live audio would
cost 1,400 frames a second at most, and what a power cut takes of it, the speakers' machines have lost as well.
JetStream refuses that mode for a stream with several copies, and refuses to change it. So going from one copy to three
takes a new stream. It is made when the old one is empty, that is when no live session has audio in it; until then
the old one stays as it is, and live audio has one copy.

The subjects are taken from the old stream first. Writers that come in between find no stream, which is a reason for
them to try again, for a minute. The numbers of the new stream's messages go on where the old ones ended, so that
readers find them. A consumer on the old stream is the lock: it can be made once, and goes with the stream.
"""

import asyncio
import json
from dataclasses import replace
from enum import Enum

from nats.js import JetStreamContext
from nats.js.api import PersistMode, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from tiro_core.ids import new_id
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS
from tiro_core.messaging.streams.updates import ensure_stream

LOCK_SECONDS = 20.0
"""How long a service that died while it replaced the stream holds the others up."""
REPLACE_SECONDS_MAX = LOCK_SECONDS / 2
"""How long replacing it may take. Then the lock is still held, and another service starts over when it is free."""
POLL_SECONDS = 0.25
"""How often it is looked whether another service has replaced the stream."""
PARKED_SUBJECT = "tiro.parked.audio"
"""The subject that the old stream has while it is replaced. Nothing is published there."""
_LOCK = "replacing"
_CONSUMER_EXISTS = 10148  # JSConsumerAlreadyExists

log = get_logger()


class _Outcome(Enum):
    DONE = "done"
    IN_USE = "in use"
    LOCKED = "locked"


async def ensure_audio_stream(jetstream: JetStreamContext, config: StreamConfig) -> bool:
    """Have the stream of live audio, with the copies that `config` asks for.

    Returns:
        Whether it has them. It has not while live sessions have audio in a stream that one server wrote behind its
        acknowledgements; try again later.

    Raises:
        StreamRefused: NATS does not make it.
        BusUnavailable: Too few nodes are there at present.
        nats.errors.Error: NATS does not answer.
    """
    if config.num_replicas == 1:
        await ensure_stream(jetstream, replace(config, persist_mode=PersistMode.ASYNC))
        return True
    while True:
        info = await _info(jetstream, str(config.name))
        if info is None or info.config.persist_mode != PersistMode.ASYNC:
            await ensure_stream(jetstream, config)
            return True
        if info.state.messages and not _is_parked(info):
            return False
        outcome = await _replace(jetstream, config)
        if outcome is not _Outcome.LOCKED:
            return outcome is _Outcome.DONE
        await asyncio.sleep(POLL_SECONDS)


async def _replace(jetstream: JetStreamContext, config: StreamConfig) -> _Outcome:
    name = str(config.name)
    if not await _lock(jetstream, name):
        return _Outcome.LOCKED
    async with asyncio.timeout(REPLACE_SECONDS_MAX):
        info = await jetstream.stream_info(name)
        if info.config.persist_mode == PersistMode.ASYNC:  # else another service was faster, and this is the new one
            await jetstream.update_stream(replace(info.config, subjects=[PARKED_SUBJECT]))
            parked = await jetstream.stream_info(name)
            if parked.state.messages:
                await jetstream.update_stream(replace(info.config, subjects=config.subjects))
                await jetstream.delete_consumer(name, _LOCK)
                return _Outcome.IN_USE
            await jetstream.delete_stream(name)
            await jetstream.add_stream(replace(config, first_seq=parked.state.last_seq + 1))
            log.info("audio_stream_replaced", stream=name, copies=config.num_replicas)
            return _Outcome.DONE
        await jetstream.delete_consumer(name, _LOCK)
    return _Outcome.DONE


async def _lock(jetstream: JetStreamContext, stream: str) -> bool:
    """Make the consumer that no other service can make. nats-py's own call would take another's for ours."""
    config = {
        "name": _LOCK,
        "ack_policy": "none",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "inactive_threshold": int(LOCK_SECONDS * 1e9),
        "mem_storage": True,
        "num_replicas": 1,
        "metadata": {"owner": new_id()},
    }
    request = json.dumps({"stream_name": stream, "config": config, "action": "create"}).encode()
    try:
        await jetstream._api_request(  # noqa: SLF001 - as above
            f"$JS.API.CONSUMER.CREATE.{stream}.{_LOCK}", request, timeout=REQUEST_TIMEOUT_SECONDS
        )
    except NotFoundError:  # another service has deleted the stream and makes the new one
        return False
    except APIError as error:
        if error.err_code != _CONSUMER_EXISTS:
            raise
        return False
    return True


async def _info(jetstream: JetStreamContext, stream: str) -> StreamInfo | None:
    try:
        return await jetstream.stream_info(stream)
    except NotFoundError:
        return None


def _is_parked(info: StreamInfo) -> bool:
    """Whether a service died while it replaced the stream, or is about to."""
    return info.config.subjects == [PARKED_SUBJECT]
