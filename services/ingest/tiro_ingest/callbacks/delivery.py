"""One try to deliver a callback: a signed POST, and its outcome."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import ClientError, ClientSession
from google.protobuf.json_format import MessageToJson

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.clock import now
from tiro_core.jobs.states import state_name
from tiro_ingest.callbacks.signatures import sign, tenant_secret
from tiro_ingest.outgoing.addresses import AddressRefusedError
from tiro_ingest.outgoing.client import UrlInvalidError, parse_url
from tiro_ingest.resources.conversion import public_transcription

TRY_SECONDS_MAX = 10.0
"""How long the receiver may take to answer."""


class CallbackClient:
    """Delivers callbacks.

    Args:
        session: Connects to allowed addresses only.
        secrets: The deployment's secrets, the newest first. All of them sign, so that receivers can change from one to
            the next.
    """

    def __init__(self, session: ClientSession, secrets: Sequence[str]) -> None:
        self._session = session
        self._secrets = secrets

    async def deliver(self, record: TranscriptionRecord) -> tuple[Callback.Delivery, bool]:
        """Send a job's callback once.

        Returns:
            The outcome, and whether another try may help.
        """
        delivery = Callback.Delivery(time=now())
        body = _body(record)
        try:
            async with asyncio.timeout(TRY_SECONDS_MAX):
                headers = self._headers(record, body)
                url = parse_url(record.callback.uri)
                response = await self._session.post(url, data=body.encode(), headers=headers, allow_redirects=False)
                response.close()  # the body is not read
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

    def _headers(self, record: TranscriptionRecord, body: str) -> dict[str, str]:
        secrets = [tenant_secret(secret, record.tenant) for secret in self._secrets]
        signed = sign(secrets, record.transcription_id, datetime.now(UTC), body)
        return {"content-type": "application/json", "user-agent": "tiro", **signed}


def _body(record: TranscriptionRecord) -> str:
    """The job in protobuf's JSON, in the envelope that Standard Webhooks recommends."""
    job = MessageToJson(public_transcription(record), indent=None)
    kind = f"transcription.{state_name(record).lower()}"
    return f'{{"type": "{kind}", "timestamp": "{record.end_time.ToJsonString()}", "data": {job}}}'
