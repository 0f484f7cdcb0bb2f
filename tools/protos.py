"""Generate the Python code of the contract, and check the contract: `make protos` and `make check` run this.

The protos import Google's and protovalidate's. Their descriptors are read from the installed Python packages, so
nothing is copied into the project or fetched.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from google.api import client_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from google.rpc import status_pb2
from google.type import money_pb2
from protovalidate._gen.buf.validate import validate_pb  # its descriptor has no public name

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GEN = PROTOS / "gen"
BIN = Path(sys.executable).parent
VALIDATE = "buf/validate/validate.proto"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["generate", "up-to-date", "lint", "breaking"])
    command = parser.parse_args().command
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        {"generate": _generate, "up-to-date": _up_to_date, "lint": _lint, "breaking": _breaking}[command](Path(scratch))


def _generate(scratch: Path) -> None:
    _generate_into(GEN, scratch)
    print(f"generated {sum(1 for _ in GEN.rglob('*.py'))} modules in {GEN.relative_to(ROOT)}")


def _up_to_date(scratch: Path) -> None:
    fresh = scratch / "gen"
    _generate_into(fresh, scratch)
    difference = subprocess.run(["diff", "-r", "-x", "__pycache__", str(GEN), str(fresh)], check=False)
    if difference.returncode:
        sys.exit("the generated code does not match the protos: run `make protos` and commit")


def _lint(scratch: Path) -> None:
    _run(["buf", "format", "--diff", "--exit-code", str(PROTOS)])
    _run(["buf", "lint", str(_image(PROTOS, scratch)), "--config", str(PROTOS / "buf.yaml")])


def _breaking(scratch: Path) -> None:
    describe = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    tag = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not tag:
        print("buf breaking: no release tag yet, so there is nothing to compare with")
        return
    archive = subprocess.run(["git", "archive", tag, "protos"], cwd=ROOT, capture_output=True, check=True)
    released = scratch / "released"
    released.mkdir()
    subprocess.run(["tar", "-x", "-C", str(released)], input=archive.stdout, check=True)
    (scratch / "old").mkdir()
    against = _image(released / "protos", scratch / "old")
    config = str(PROTOS / "buf.yaml")
    _run(["buf", "breaking", str(_image(PROTOS, scratch)), "--against", str(against), "--config", config])


def _generate_into(target: Path, scratch: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    dependencies = _dependencies(scratch)
    outputs = [f"--python_out={target}", f"--mypy_out={target}"]
    services = [f"--grpc_python_out={target}", f"--mypy_grpc_out={target}"]
    _protoc([*outputs, *services, *_sources(PROTOS)], PROTOS, dependencies)
    _protoc([*outputs, VALIDATE], PROTOS, dependencies)
    for module in target.rglob("*_pb2_grpc.py"):
        if "Servicer" not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for package in {module.parent for module in target.rglob("*_pb2.py")}:
        (package / "py.typed").touch()


def _image(protos: Path, scratch: Path) -> Path:
    image = scratch / "image.binpb"
    options = [f"--descriptor_set_out={image}", "--include_source_info", "--include_imports"]
    _protoc([*options, *_sources(protos)], protos, _dependencies(scratch))
    return image


def _sources(protos: Path) -> list[str]:
    return sorted(str(path.relative_to(protos)) for path in (protos / "tiro").rglob("*.proto"))


def _protoc(arguments: list[str], protos: Path, dependencies: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={protos}"]
    _run([*command, f"--descriptor_set_in={dependencies}", *arguments])


def _dependencies(scratch: Path) -> Path:
    """The descriptors of all imports of the protos, each file after its own imports."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        files[file.name] = proto

    ours = (client_pb2, field_behavior_pb2, resource_pb2, status_pb2, money_pb2)
    for module in (*ours, duration_pb2, field_mask_pb2, timestamp_pb2):
        add(module.DESCRIPTOR)
    files[VALIDATE] = _validate_descriptor()
    target = scratch / "dependencies.binpb"
    target.write_bytes(descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString())
    return target


def _validate_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of protovalidate's rules, from its package, which is for another protobuf runtime."""
    proto = descriptor_pb2.FileDescriptorProto()
    proto.ParseFromString(validate_pb.desc().proto.to_binary())
    return proto


def _run(command: list[str]) -> None:
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{result.stdout}{result.stderr}failed: {' '.join(command[:3])}")


if __name__ == "__main__":
    main()
