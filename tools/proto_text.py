"""A proto2 file as text, from its descriptor.

protovalidate's Python package has the descriptor of `buf/validate/validate.proto`, and not the file, which other
languages need. A test compiles the text and compares the descriptors.
"""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message

INDENT = "  "
RANGE_END_MAX = 2**29
"""The end, exclusive, of a range of field numbers that is written as `max`."""
_FIELD = FieldDescriptorProto


def text_of(file: FileDescriptorProto) -> str:
    """The file as text, without comments, which a descriptor from a Python package does not have.

    Args:
        file: A proto2 file without groups, maps, services, nested types and default values. Its custom options must be
            known: the modules that define them must be imported.
    """
    parts = [
        ['syntax = "proto2";'],
        [f"package {file.package};"],
        [f'import "{name}";' for name in file.dependency],
        [f"option {option};" for option in _options(file.options)],
        *(_extension(extension) for extension in file.extension),
        *(_enum(enum) for enum in file.enum_type),
        *(_message(message) for message in file.message_type),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _extension(extension: FieldDescriptorProto) -> list[str]:
    return _block(f"extend {extension.extendee}", [_field(extension)])


def _enum(enum: EnumDescriptorProto) -> list[str]:
    values = [f"{value.name} = {value.number}{_bracketed(value.options)};" for value in enum.value]
    ranges = [(reserved.start, reserved.end + 1) for reserved in enum.reserved_range]
    return _block(f"enum {enum.name}", [*values, *_reserved(ranges, enum.reserved_name)])


def _message(message: DescriptorProto) -> list[str]:
    lines = [f"option {option};" for option in _options(message.options)]
    begun = set[int]()
    for field in message.field:
        index = _oneof_of(field)
        if index is None:
            lines.append(_field(field))
        elif index not in begun:  # a oneof stands where its first field does
            begun.add(index)
            lines += _oneof(message, index)
    ranges = [(reserved.start, reserved.end) for reserved in message.reserved_range]
    lines += _reserved(ranges, message.reserved_name)
    lines += [f"extensions {_range(one.start, one.end)};" for one in message.extension_range]
    return _block(f"message {message.name}", lines)


def _oneof(message: DescriptorProto, index: int) -> list[str]:
    oneof = message.oneof_decl[index]
    lines = [f"option {option};" for option in _options(oneof.options)]
    lines += [_field(field, in_oneof=True) for field in message.field if _oneof_of(field) == index]
    return _block(f"oneof {oneof.name}", lines)


def _field(field: FieldDescriptorProto, *, in_oneof: bool = False) -> str:
    label = "" if in_oneof else f"{_FIELD.Label.Name(field.label).removeprefix('LABEL_').lower()} "
    kind = field.type_name or _FIELD.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"{label}{kind} {field.name} = {field.number}{_bracketed(field.options)};"


def _oneof_of(field: FieldDescriptorProto) -> int | None:
    return field.oneof_index if field.HasField("oneof_index") else None


def _reserved(ranges: Iterable[tuple[int, int]], names: Iterable[str]) -> Iterator[str]:
    for start, end in ranges:
        yield f"reserved {_range(start, end)};"
    for name in names:
        yield f'reserved "{name}";'


def _range(start: int, end: int) -> str:
    if end == start + 1:
        return str(start)
    return f"{start} to {'max' if end == RANGE_END_MAX else end - 1}"


def _bracketed(options: Message) -> str:
    written = list(_options(options))
    return f" [{', '.join(written)}]" if written else ""


def _options(options: Message) -> Iterator[str]:
    """Options as `name = value`. The value of a message is in protobuf's text format."""
    for field, value in options.ListFields():
        name = f"({field.full_name})" if field.is_extension else field.name
        if isinstance(value, Message):
            yield f"{name} = {{{text_format.MessageToString(value, as_one_line=True)}}}"
        else:
            yield f"{name} = {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else str(value)


def _block(head: str, lines: Sequence[str]) -> list[str]:
    return [f"{head} {{", *(INDENT + line for line in lines), "}"]
