"""One stream at the server: signed audio in, results out, as its script has it."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.transcribe.frames import BadFrame, Decoder, Message, decode
from tests.support.transcribe.script import Fault, Script
from tests.support.transcribe.signing import BadSignature, Chain
from tests.support.transcribe.speech import Hearing


class ServerStream:
    """A stream that was accepted.

    Attributes:
        parameters: What was asked for, by the names of the headers without their prefix, as in `language-code`.
        is_over: It has said everything.
        is_cut: Its connection is to be cut.
    """

    def __init__(self, chain: Chain, parameters: dict[str, str], script: Script) -> None:
        self._chain = chain
        self._script = script
        self._decoder = Decoder()
        self._hearing = Hearing(parameters["language-code"])
        self.parameters = parameters
        self.is_over = False
        self.is_cut = False

    @property
    def seconds(self) -> float:
        """Of audio that came."""
        return self._hearing.seconds

    def hear(self, data: bytes) -> Iterator[Message]:
        """Take bytes of the request's body, and answer."""
        try:
            for signed in self._decoder.feed(data):
                self._chain.check(signed)
                yield from self._answer(signed)
                if self.is_over or self.is_cut:
                    return
        except (BadFrame, BadSignature) as error:
            self.is_over = True
            yield exception(Fault("BadRequestException", str(error)))

    def _answer(self, signed: Message) -> Iterator[Message]:
        if not signed.payload:  # the empty event that ends the audio
            self.is_over = not self._script.stall
            if self.is_over:
                yield from _told(self._hearing.finish())
            return
        results = self._hearing.hear(decode(signed.payload).payload)
        if self.seconds < self._script.seconds:
            yield from _told(results)
        elif self._script.throw is not None:
            self.is_over = True
            yield exception(self._script.throw)
        elif self._script.cut:
            self.is_cut = True


def _told(results: list[dict[str, Any]]) -> Iterator[Message]:
    if results:
        headers = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}
        yield Message(headers, json.dumps({"Transcript": {"Results": results}}).encode())


def exception(fault: Fault) -> Message:
    """An exception event."""
    headers = {":message-type": "exception", ":exception-type": fault.name, ":content-type": "application/json"}
    return Message(headers, json.dumps({"Message": fault.message}).encode())
