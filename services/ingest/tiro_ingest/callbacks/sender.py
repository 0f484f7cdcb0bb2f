"""Sending a callback, again and again until somebody takes it."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from aiohttp import ClientError, ClientSession
from google.protobuf.json_format import MessageToJson
from nats.aio.msg import Msg

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.clock import now, seconds_until
from tiro_core.jobs.states import state_name
from tiro_core.logs import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.work_queue import Slot
from tiro_core.outgoing.addresses import AddressRefusedError
from tiro_core.outgoing.client import UrlInvalidError, parse_url
from tiro_engines.backoff import backoff
from tiro_ingest.api.conversion import public_transcription
from tiro_ingest.callbacks.signatures import sign, tenant_secret
from tiro_ingest.metrics import CALLBACKS

TRY_SECONDS_MAX = 10.0
"""How long the other side may take to answer."""
BACKOFF_SECONDS = 5.0
"""Before the second try; doubled before each further one, half of it at random."""
BACKOFF_SECONDS_MAX = 3600.0
DELIVERIES_KEPT_MAX = 20
"""Tries that a job remembers, the latest."""

log = get_logger()


class _Over(Exception):  # noqa: N818 - reads as the condition it reports
    """There is nothing to deliver any more."""


class CallbackSender:
    """Delivers the callbacks that are offered.

    Args:
        bus: Where jobs and callbacks are.
        session: Connects to allowed addresses only.
        secrets: The deployment's: the first signs, the others as well while they are being given up.
        seconds_max: For how long after a job's end its callback is tried.
    """

    def __init__(self, bus: Bus, session: ClientSession, *, secrets: Sequence[str], seconds_max: float) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._session = session
        self._secrets = secrets
        self._seconds_max = seconds_max

    async def handle(self, message: Msg, slot: Slot) -> None:  # noqa: ARG002 - a feed gives it
        """Try to deliver one callback, note how that went, and settle its message."""
        task = TranscriptionTask.FromString(message.data)
        key = subjects.record(task.tenant, task.transcription_id)
        with structlog.contextvars.bound_contextvars(tenant=task.tenant, job=task.transcription_id):
            stored = await self._records.get(key)
            if stored is None or stored.value.removing or stored.value.callback.state != Callback.STATE_PENDING:
                await message.ack()
                return
            delivery, again = await self._try(stored.value)
            late = -seconds_until(stored.value.end_time) > self._seconds_max
            state = _state(delivery, again=again and not late)
            try:
                await self._records.mutate(key, lambda record: _note(record, delivery, state))
            except (KeyError, _Over):  # the job was deleted meanwhile
                await message.ack()
                return
            CALLBACKS.labels(Callback.State.Name(state).removeprefix("STATE_").lower()).inc()
            log.info("callback_tried", http_status=delivery.http_status, error=delivery.error, state=state)
            if state == Callback.STATE_PENDING:
                tries = message.metadata.num_delivered
                delay = backoff(tries, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
                await message.nak(delay=delay)
            else:
                await message.ack()

    async def _try(self, record: TranscriptionRecord) -> tuple[Callback.Delivery, bool]:
        """Send it once. Gives what came of it, and whether another try is worth it."""
        delivery = Callback.Delivery(time=now())
        body = _body(record)
        try:
            async with asyncio.timeout(TRY_SECONDS_MAX):
                headers = self._headers(record, body)
                url = parse_url(record.callback.uri)
                response = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
                response.close()  # what else it says is of no interest
        except (AddressRefusedError, UrlInvalidError) as error:
            delivery.error = str(error)
            return delivery, False
        except TimeoutError:
            delivery.error = f"no answer within {TRY_SECONDS_MAX:g} s"
            return delivery, True
        except (ClientError, OSError) as error:
            delivery.error = f"no connection: {type(error).__name__}"
            return delivery, True
        delivery.http_status = response.status
        if not HTTPStatus(200) <= response.status < HTTPStatus(300):
            delivery.error = "redirects are not followed" if 300 <= response.status < 400 else "not accepted"  # noqa: PLR2004 - HTTP's
        return delivery, response.status != HTTPStatus.GONE

    def _headers(self, record: TranscriptionRecord, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())
        secrets = [tenant_secret(secret, record.tenant) for secret in self._secrets]
        return {
            "content-type": "application/json",
            "user-agent": "tiro",
            "webhook-id": record.transcription_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secrets, record.transcription_id, timestamp, body),
        }


def _body(record: TranscriptionRecord) -> bytes:
    """The job in protobuf's JSON, in the envelope that Standard Webhooks recommends."""
    job = MessageToJson(public_transcription(record), indent=None)
    kind = f"transcription.{state_name(record).lower()}"
    return f'{{"type": "{kind}", "timestamp": "{record.end_time.ToJsonString()}", "data": {job}}}'.encode()


def _state(delivery: Callback.Delivery, *, again: bool) -> "Callback.State.ValueType":
    if not delivery.error:
        return Callback.STATE_DELIVERED
    return Callback.STATE_PENDING if again else Callback.STATE_FAILED


def _note(record: TranscriptionRecord, delivery: Callback.Delivery, state: "Callback.State.ValueType") -> None:
    if record.removing:
        raise _Over
    record.callback.state = state
    record.callback.deliveries.append(delivery)
    del record.callback.deliveries[:-DELIVERIES_KEPT_MAX]
