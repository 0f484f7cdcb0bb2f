"""Text as more than one format writes it."""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def on_one_line(text: str) -> str:
    """A text without line breaks and tabs: each run of white space becomes one space."""
    return " ".join(text.split())


def json_of(value: Message | dict[str, Any]) -> str:
    """A message, or an object of plain data, as JSON on one line."""
    data = MessageToDict(value) if isinstance(value, Message) else value
    return json.dumps(data, ensure_ascii=False)
