"""Checking messages against the rules in their protos."""

import grpc
import protovalidate
from google.protobuf.message import Message

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import FieldViolation, TiroError


def require_valid(message: Message, path: str = "") -> None:
    """Check a message.

    Args:
        message: The message.
        path: The path of the message in the request, for the fields in the error.

    Raises:
        TiroError: INVALID_ARGUMENT with the fields that break a rule.
    """
    broken = protovalidate.collect_violations(message)
    if not broken:
        return
    violations = [FieldViolation(_path(item, path), item.proto.message) for item in broken]
    text = "; ".join(f"{item.field or 'request'}: {item.description}" for item in violations)
    raise TiroError(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_INVALID_REQUEST, text, violations=violations)


def _path(violation: protovalidate.Violation, path: str) -> str:
    elements = violation.proto.field.elements if violation.proto.field else ()
    return ".".join([*([path] if path else []), *(element.field_name for element in elements)])
