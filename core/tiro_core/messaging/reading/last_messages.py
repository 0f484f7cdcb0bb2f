"""The newest messages on many subjects, read with one request."""

import json
from collections.abc import Sequence

from nats.errors import NoRespondersError

from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Rejected, translated
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.inbox import Inbox, InboxOverflow, InboxTimeout

SUBJECTS_MAX = 1024
"""The most subjects of one request, which is the server's limit."""


async def last_messages(bus: Bus, stream: str, subjects: Sequence[str]) -> dict[str, StoredMessage]:
    """Read the newest message on each subject from any replica, which may miss what was written a moment ago.

    Args:
        bus: The connection.
        stream: The stream, which allows direct reads.
        subjects: The subjects, without wildcards; at most `SUBJECTS_MAX`.

    Returns:
        The messages by subject. Subjects without a message are left out.

    Raises:
        BusUnavailable: NATS did not answer.
        Rejected: NATS refuses the request.
    """
    inbox = Inbox(bus.client, messages_max=len(subjects) + 1, silence_seconds_max=REQUEST_TIMEOUT_SECONDS)
    found: dict[str, StoredMessage] = {}
    request = json.dumps({"multi_last": list(subjects)}).encode()
    with translated():
        await inbox.open()
        try:
            await bus.client.publish(f"$JS.API.DIRECT.GET.{stream}", request, inbox.subject)
            while (message := await _next(inbox)) is not None:
                found[message.subject] = message
        finally:
            await inbox.close()
    return found


async def _next(inbox: Inbox) -> StoredMessage | None:
    """The next message of an answer. None: it is complete."""
    try:
        message = await inbox.next()
    except (InboxTimeout, InboxOverflow) as error:
        raise BusUnavailable(f"NATS did not answer a read of several messages: {error!r}") from error
    headers = message.headers or {}
    match headers.get("Status"):
        case None:
            sequence = int(headers.get("Nats-Sequence", "0"))
            return StoredMessage(headers.get("Nats-Subject", ""), message.data, headers, sequence)
        case "204" | "404":  # the end of the answer; none of the subjects has a message
            return None
        case "503":  # the stream has no leader, or does not exist
            raise NoRespondersError
        case status:
            raise Rejected(f"NATS answers {status} {headers.get('Description', '')}")
