"""The bundle of protos: complete, public, and the same as the contract that the services have."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from buf.validate import validate_pb2
from tools import proto_bundle, protos

PROTOC = str(Path(sys.executable).with_name("protoc"))
OPTIONS = {"csharp_namespace", "go_package", "java_multiple_files", "java_package", "php_namespace", "ruby_package"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle."""
    target = tmp_path_factory.mktemp("bundle")
    proto_bundle.build(target)
    return target


@pytest.fixture(scope="module")
def compiled(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, FileDescriptorProto]:
    """Its files, compiled by a protoc that finds nothing else: this one comes without Google's files."""
    target = tmp_path_factory.mktemp("compiled") / "set.binpb"
    names = protos.sources([protos.PUBLIC])
    options = ["--include_imports", f"--descriptor_set_out={target}"]
    command = [PROTOC, f"--proto_path={bundle / 'include'}", *options, *names]
    ran = subprocess.run(command, cwd=target.parent, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return files_of(target)


def files_of(path: Path) -> Mapping[str, FileDescriptorProto]:
    """The files of a descriptor set, by name."""
    return {file.name: file for file in FileDescriptorSet.FromString(path.read_bytes()).file}


def test_the_files_are_complete(bundle: Path, compiled: Mapping[str, FileDescriptorProto]) -> None:
    """Every file of the contract compiles, and the zip has the same files."""
    assert set(protos.sources([protos.PUBLIC])) <= set(compiled)
    with zipfile.ZipFile(bundle / "tiro-protos.zip") as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert names == {str(path.relative_to(bundle / "include")) for path in (bundle / "include").rglob("*.proto")}


def test_the_descriptor_set_is_the_contract(bundle: Path, compiled: Mapping[str, FileDescriptorProto]) -> None:
    """It has the same messages and services as the files, with their comments."""
    described = files_of(bundle / "tiro.binpb")
    assert set(described) == set(compiled)
    for name in protos.sources([protos.PUBLIC]):
        assert described[name].source_code_info.location
        described[name].ClearField("source_code_info")
        assert described[name] == compiled[name], name


def test_the_rules_are_those_of_protovalidate(compiled: Mapping[str, FileDescriptorProto]) -> None:
    """Their file is written from a descriptor. Compiled, it is that descriptor, but for its Java package."""
    original = FileDescriptorProto()
    validate_pb2.DESCRIPTOR.CopyToProto(original)
    original.options.java_package = "build.buf.validate"
    assert compiled["buf/validate/validate.proto"] == original


def test_what_is_internal_is_not_in_it(bundle: Path, compiled: Mapping[str, FileDescriptorProto]) -> None:
    """The messages between services are no part of the contract."""
    assert not [name for name in compiled if "events" in name]
    assert "tiro.events" not in (bundle / "tiro.binpb").read_text("latin-1")


def test_every_file_names_its_package_in_other_languages(compiled: Mapping[str, FileDescriptorProto]) -> None:
    """protoc-gen-go refuses a file without one; in Java one class would hold all messages of a file."""
    for name in protos.sources([protos.PUBLIC]):
        options = {field.name for field, _ in compiled[name].options.ListFields()}
        assert options >= OPTIONS, name
