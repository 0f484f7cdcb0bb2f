"""The stream of live audio, which a single server flushes after the acknowledgement and a cluster before it.

On a single server the stream is made with `persist_mode: async`. Flushed before each acknowledgement, as jobs are, it
would take 1,400 frames a second at most; and a power cut that loses the last audio stops most speakers' machines too.
JetStream refuses that mode for a stream with several copies, and refuses to change the mode. So the change from one
copy to three needs a new stream. It is made when the old one is empty, that is when no live session has audio in it;
until then the old stream stays, and live audio has one copy.

The subjects are removed from the old stream first. Writers that publish in between find no stream, and try again for a
minute. The sequences of the new stream continue where the old ones ended, so that readers find its messages. A
consumer on the old stream is the lock: it can be created only once, and is deleted with the stream.
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
"""How long the others wait for a service that died while it replaced the stream."""
REPLACE_SECONDS_MAX = LOCK_SECONDS / 2
"""How long the replacement may take, well below the time for which the lock is held."""
POLL_SECONDS = 0.25
"""How often a service checks whether another one has replaced the stream."""
PARKED_SUBJECT = "tiro.parked.audio"
"""The subject of the old stream while it is replaced. No message is published there."""
_LOCK = "replacing"
_CONSUMER_EXISTS = 10148  # JSConsumerAlreadyExists

log = get_logger()


class _Outcome(Enum):
    DONE = "done"
    IN_USE = "in use"
    LOCKED = "locked"


async def ensure_audio_stream(jetstream: JetStreamContext, config: StreamConfig) -> bool:
    """Create or update the stream of live audio, with the copies that `config` asks for.

    Returns:
        Whether the stream has them. False while live sessions have audio in a stream with `persist_mode: async`; try
        again later.

    Raises:
        StreamRefused: NATS refuses the stream.
        BusUnavailable: Too few nodes are available now.
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
    """Create the consumer that is the lock. nats-py's own call would also succeed when another service has done so."""
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
