"""Files and stdout as the output of transcripts."""

import io
from pathlib import Path

import pytest
import typer
from rich.console import Console

from tiro_client.cli.transcribe.output import FolderOutput, StdoutOutput, Texts, write_atomically
from tiro_client.cli.transcribe.output_arguments import parse_formats
from tiro_client.cli.transcribe.recordings import OutputClash, displayed, output_names, recording_of

ONE, TWO, THREE = Path("one.wav"), Path("two.wav"), Path("three.wav")


def texts_of(text: str) -> Texts:
    """Texts of a transcript of one line."""
    return {"txt": f"{text}\n", "vtt": "WEBVTT\n"}


def test_names_are_the_stems() -> None:
    """The output of `talk.flac` is named `talk`."""
    assert output_names([Path("a/talk.flac"), Path("b/other.wav")]) == {
        Path("a/talk.flac"): "talk",
        Path("b/other.wav"): "other",
    }


def test_names_keep_the_suffix_where_stems_are_equal() -> None:
    """Two files that differ in their suffix only have different outputs."""
    names = output_names([Path("talk.flac"), Path("talk.wav")])
    assert list(names.values()) == ["talk.flac", "talk.wav"]


def test_a_uri_is_named_by_its_path() -> None:
    """The output of a URI has the name in its path, without query and credentials; `recording` if it has none."""
    talk, bare = (recording_of(text) for text in ("https://me:pw@example.com/a%20talk.mp3?sig=1", "s3://bucket"))
    assert output_names([talk, bare]) == {talk: "a talk", bare: "recording"}
    assert displayed(talk) == "https://example.com/a%20talk.mp3"
    assert recording_of("file.wav") == Path("file.wav")


def test_files_of_the_same_name_clash() -> None:
    """Two files of the same name in two folders are refused before anything is transcribed."""
    with pytest.raises(OutputClash, match=r"talk\.wav"):
        output_names([Path("a/talk.wav"), Path("b/talk.wav")])


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """An existing transcript is replaced, and nothing else is left in the folder."""
    target = tmp_path / "talk.txt"
    target.write_text("old")
    write_atomically(target, "new ü\n")
    assert target.read_text(encoding="utf-8") == "new ü\n"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """When the target cannot be replaced, the temporary file is removed and the error is raised."""
    (tmp_path / "talk.txt").mkdir()
    with pytest.raises(OSError, match=r"talk\.txt"):
        write_atomically(tmp_path / "talk.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["talk.txt"]


def test_a_folder_output_creates_its_folder_and_writes_each_format(tmp_path: Path) -> None:
    """A folder output creates its folder, and writes NAME.FORMAT for each format."""
    folder = tmp_path / "deep" / "out"
    output = FolderOutput(folder, ["txt", "vtt"], {ONE: "one"})
    output.add(ONE, texts_of("Hello"))
    assert sorted(path.name for path in folder.iterdir()) == ["one.txt", "one.vtt"]
    assert (folder / "one.txt").read_text() == "Hello\n"


def test_names_that_are_as_long_as_allowed(tmp_path: Path) -> None:
    """A name of 255 bytes is written. Longer ones are cut between characters, and stay apart."""
    exact, long, other = Path(f"{'x' * 251}.mp3"), Path(f"{'é' * 127}.a"), Path(f"{'é' * 126}è.a")
    output = FolderOutput(tmp_path, ["txt"], output_names([exact, long, other]))
    for path in (exact, long, other):
        output.add(path, texts_of(path.name))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert f"{'x' * 251}.txt" in written
    assert len(written) == 3
    assert all(len(name.encode()) <= 255 and name.endswith(".txt") for name in written)


def test_a_failed_file_writes_nothing(tmp_path: Path) -> None:
    """A file without a transcript creates no output and no folder."""
    FolderOutput(tmp_path / "out", ["txt"], {ONE: "one"}).add(ONE, None)
    assert list(tmp_path.iterdir()) == []


def test_stdout_keeps_the_order_of_the_command_line() -> None:
    """Transcripts are printed in order, each as soon as those before it are complete; failed ones are left out."""
    stream = io.StringIO()
    output = StdoutOutput(Console(file=stream, soft_wrap=True), "txt", [ONE, TWO, THREE])
    output.add(TWO, texts_of("second"))
    assert stream.getvalue() == ""
    output.add(ONE, None)
    assert stream.getvalue() == "==> two.wav <==\nsecond\n"
    output.add(THREE, texts_of("third [bold]x[/bold] :smile:"))
    assert stream.getvalue().endswith("==> three.wav <==\nthird [bold]x[/bold] :smile:\n")


def test_one_file_has_no_heading() -> None:
    """The transcript of a single file is printed without a heading, and its lines are not wrapped."""
    stream = io.StringIO()
    text = "word " * 100 + "end"
    StdoutOutput(Console(file=stream, width=40), "txt", [ONE]).add(ONE, texts_of(text))
    assert stream.getvalue() == text + "\n"


def test_formats_may_be_repeated_or_a_list() -> None:
    """`-f srt,vtt -f SRT` is two formats; the default is txt."""
    assert parse_formats(["srt,vtt", "SRT"]) == ["srt", "vtt"]
    assert parse_formats([]) == ["txt"]


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    """The error names the formats of the registry."""
    with pytest.raises(typer.BadParameter, match="'docx' is not an output format; the formats are txt, srt, vtt"):
        parse_formats(["srt,docx"])
