"""Build what other languages generate their clients from: `make proto-bundle` runs this.

In `dist/protos` are then:

* `tiro.binpb`: a descriptor set of the public contract, with comments and with all that it imports
* `include/`: the public protos, with all that they import, as files
* `tiro-protos.zip`: the same folder
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto

# Its options have to be known when it is written as text.
from buf.validate import validate_pb2
from tools import proto_imports, protos
from tools.members import ROOT
from tools.proto_text import text_of

DIST = ROOT / "dist" / "protos"
SET = "tiro.binpb"
INCLUDE = "include"
ARCHIVE = "tiro-protos"
VALIDATE_IN_JAVA = "build.buf.validate"
"""The Java package of protovalidate's own artifact. The Python package's descriptor has the one that the Buf registry
gives to generated code."""


def main() -> None:
    """Build, and print where it is."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    build(DIST)
    for name in (SET, INCLUDE, f"{ARCHIVE}.zip"):
        print((DIST / name).relative_to(ROOT))


def build(target: Path) -> None:
    """Build into a folder. What it has is removed."""
    shutil.rmtree(target, ignore_errors=True)
    include = target / INCLUDE
    for name in protos.sources([protos.PUBLIC]):
        _copy(protos.PUBLIC / name, include / name)
    for name, path in proto_imports.sources().items():
        _copy(path, include / name)
    validate = FileDescriptorProto()
    validate_pb2.DESCRIPTOR.CopyToProto(validate)
    validate.options.java_package = VALIDATE_IN_JAVA
    (include / proto_imports.VALIDATE).parent.mkdir(parents=True)
    (include / proto_imports.VALIDATE).write_text(text_of(validate))
    with tempfile.TemporaryDirectory() as scratch:
        protos.image([protos.PUBLIC], Path(scratch)).rename(target / SET)
    shutil.make_archive(str(target / ARCHIVE), "zip", include)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
