"""What the protos import: Google's files and protovalidate's, from the installed Python packages.

Nothing of them is copied into the project, and nothing is fetched.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from google.api import client_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from google.rpc import error_details_pb2, status_pb2
from google.type import money_pb2
from protovalidate._gen.buf.validate import validate_pb  # its descriptor has no public name

VALIDATE = "buf/validate/validate.proto"
_OURS = (client_pb2, field_behavior_pb2, resource_pb2, status_pb2, money_pb2)
_WELL_KNOWN = (duration_pb2, empty_pb2, field_mask_pb2, timestamp_pb2)
_DETAILS = (error_details_pb2,)
"""Not imported: the messages in the details of errors."""


def write_descriptors(target: Path) -> Path:
    """Write the descriptors of all imports of the protos into a file, each after its own imports. Returns the file."""
    files = dict(_with_imports(*_OURS, *_WELL_KNOWN))
    files[VALIDATE] = validate_descriptor()
    target.write_bytes(descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString())
    return target


def sources() -> Mapping[str, Path]:
    """The files of Google's imports, and of the messages in the details of errors, by their names in an import."""
    folders = [Path(str(files("grpc_tools"))) / "_proto", Path(status_pb2.__file__).parents[2]]
    names = _with_imports(*_OURS, *_WELL_KNOWN, *_DETAILS)
    return {name: next(folder / name for folder in folders if (folder / name).exists()) for name in names}


def validate_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of protovalidate's rules, from its package, which is for another protobuf runtime."""
    proto = descriptor_pb2.FileDescriptorProto()
    proto.ParseFromString(validate_pb.desc().proto.to_binary())
    return proto


def _with_imports(*modules: ModuleType) -> Mapping[str, descriptor_pb2.FileDescriptorProto]:
    """The descriptors of modules, by name, each after those that it imports."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        files[file.name] = proto

    for module in modules:
        add(module.DESCRIPTOR)
    return files
