"""Hotwords and prompts of Whisper: their budget, and texts that are copied from them."""

import threading
from collections.abc import Iterator

import pytest

from benchmarks.shared.decoded import decoded
from deploy.local.stack import MODELS, ROOT
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_HOTWORDS_OMITTED, WARNING_REASON_PROMPT_TRUNCATED
from tiro_engines.faster_whisper.echoes import echo_in, is_confirmed
from tiro_engines.faster_whisper.engine import FasterWhisperEngine
from tiro_engines.faster_whisper.loading import load_engine
from tiro_engines.faster_whisper.prompts import CONTROL_TOKENS, fitted
from tiro_engines.interface import (
    DecodingOptions,
    EngineSettings,
    Final,
    RecognitionOptions,
    Samples,
    SessionOptions,
    Window,
    WindowResult,
)

pytestmark = pytest.mark.xdist_group("whisper prompts")

DRUGS = ("Acetaminophen", "Levothyroxine", "Metoprolol succinate", "Hydrochlorothiazide", "Rosuvastatin", "Apixaban")
MANY = tuple(f"{drug} {number}" for number in range(16) for drug in DRUGS)
"""Hotwords for several times the room that Whisper has."""
RICH = ("Present: Ms. Oyelaran, Mr. Szczepanski. Figures: 1,250; 3,417; 889; 12,004. Vitocal 350-A, TE 70-ATC. " * 8)[
    :800
]
"""A prompt with more tokens than Whisper takes."""
PLAIN = ("The patient was seen in the clinic today for a follow up of hypertension. " * 11)[:790]
"""A long prompt that fits."""
OPTIONS = {
    "many hotwords": (MANY, ""),
    "hotwords and a prompt": (MANY[:40], PLAIN),
    "hotwords and a rich prompt": (MANY, RICH),
    "a rich prompt": ((), RICH),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[FasterWhisperEngine]:
    """The engine with tiny.en, loaded once."""
    loaded = load_engine("tiny.en", EngineSettings(models_dir=str(MODELS), device="cpu"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Half a minute of speech: six sentences, as fast as it goes."""
    return decoded(ROOT / "samples" / "panel.ogg")[: 30 * 16_000]


def options_of(hotwords: tuple[str, ...], prompt: str) -> RecognitionOptions:
    """The options of a job."""
    return RecognitionOptions("en", hotwords, decoding=DecodingOptions(initial_prompt=prompt))


def transcribe(
    engine: FasterWhisperEngine, samples: Samples, options: RecognitionOptions
) -> tuple[list[str], WindowResult]:
    """The words of a window, and its result."""
    words: list[str] = []
    result = engine.transcribe(
        Window(samples, 0), options, lambda segment: words.extend(segment.text.split()), threading.Event()
    )
    return words, result


@pytest.mark.parametrize(("hotwords", "prompt"), OPTIONS.values(), ids=OPTIONS)
def test_hotwords_and_prompt_leave_room_for_the_text(
    engine: FasterWhisperEngine, speech: Samples, hotwords: tuple[str, ...], prompt: str
) -> None:
    """The text has about as many words as without them. What was left out is a warning."""
    usual, plain = transcribe(engine, speech, RecognitionOptions("en"))
    words, result = transcribe(engine, speech, options_of(hotwords, prompt))
    assert abs(len(words) - len(usual)) <= 0.1 * len(usual)
    assert not plain.warnings
    reasons = {warning.reason for warning in result.warnings}
    assert (WARNING_REASON_HOTWORDS_OMITTED in reasons) == (len(hotwords) > 20)
    assert (WARNING_REASON_PROMPT_TRUNCATED in reasons) == (prompt == RICH or (prompt == PLAIN and bool(hotwords)))


@pytest.mark.parametrize(("hotwords", "prompt"), OPTIONS.values(), ids=OPTIONS)
def test_what_is_kept_is_within_the_budget(engine: FasterWhisperEngine, hotwords: tuple[str, ...], prompt: str) -> None:
    """Hotwords and prompt have half of Whisper's tokens. Each gets half of these if it needs them."""
    encode = engine._whisper.hf_tokenizer.encode
    budget = engine._whisper.max_length // 2 - CONTROL_TOKENS
    kept = fitted(engine._whisper, options_of(hotwords, prompt)).options
    tokens = [
        sum(len(encode(f" {text}", add_special_tokens=False).ids) for text in texts if text)
        for texts in (kept.hotwords, [kept.decoding.initial_prompt])
    ]
    assert sum(tokens) <= budget + 2  # where the prompt is cut it may be divided into other tokens
    assert sum(tokens) >= 0.9 * budget
    assert all(count > 0.4 * budget for count, given in zip(tokens, (hotwords, prompt), strict=True) if given)
    assert kept.hotwords[:15] == hotwords[:15]
    assert prompt.endswith(kept.decoding.initial_prompt)


def test_a_repeated_hotword_counts_once(engine: FasterWhisperEngine) -> None:
    """A hotword that is given several times has room once."""
    kept = fitted(engine._whisper, options_of(DRUGS * 16, ""))
    assert kept.options.hotwords == DRUGS
    assert not kept.warnings


def test_a_long_form_has_room_for_its_text(engine: FasterWhisperEngine, speech: Samples) -> None:
    """The same where an option needs the long form."""
    decoding = DecodingOptions(temperature=0.0)
    usual, _ = transcribe(engine, speech, RecognitionOptions("en", decoding=decoding))
    decoding = DecodingOptions(temperature=0.0, initial_prompt=RICH)
    words, result = transcribe(engine, speech, RecognitionOptions("en", MANY, decoding=decoding))
    assert abs(len(words) - len(usual)) <= 0.1 * len(usual)
    assert len(result.warnings) == 2


def test_live_finals_have_room_for_their_text(engine: FasterWhisperEngine, speech: Samples) -> None:
    """A session with too many hotwords has all its text, and a warning with its first final."""
    finals = []
    for hotwords in ((), MANY):
        session = engine.open_session(SessionOptions(RecognitionOptions("en", hotwords), interim_results=False), 0)
        updates = [*session.advance(speech), *session.finalize()]
        finals.append([update for update in updates if isinstance(update, Final)])
    counts = [sum(len(final.segment.text.split()) for final in side) for side in finals]
    assert abs(counts[1] - counts[0]) <= 0.1 * counts[0]
    warned = [[warning.reason for warning in final.warnings] for final in finals[1]]
    assert warned == [[WARNING_REASON_HOTWORDS_OMITTED], *([] for _ in finals[1][1:])]
    assert not any(final.warnings for final in finals[0])


@pytest.mark.parametrize("temperature", [None, 0.0], ids=["by segments", "long form"])
def test_a_copied_text_is_decoded_again(
    engine: FasterWhisperEngine, speech: Samples, temperature: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that has an echo, which the text without a prompt lacks, is replaced by the latter."""
    asked: list[RecognitionOptions] = []

    def found(text: str, options: RecognitionOptions) -> str | None:
        asked.append(options)
        return "quite another text" if text and options.decoding.initial_prompt else None

    monkeypatch.setattr("tiro_engines.faster_whisper.segment_decoder.echo_in", found)
    samples = speech[: 5 * 16_000]
    plain, _ = transcribe(engine, samples, RecognitionOptions("en"))
    decoding = DecodingOptions(initial_prompt="GOOD MORNING AND", temperature=temperature)
    words, _ = transcribe(engine, samples, RecognitionOptions("en", decoding=decoding))
    assert words == plain
    assert {options.decoding.initial_prompt for options in asked} == {"GOOD MORNING AND", ""}


def test_a_copied_final_is_decoded_again(
    engine: FasterWhisperEngine, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in a live session, for hotwords."""
    echo = "lisinopril rosuvastatin pantoprazole"
    monkeypatch.setattr(
        "tiro_engines.faster_whisper.live_decoder.echo_in", lambda _text, options: options.hotwords and echo
    )
    finals = []
    for hotwords in (("GOOD", "MORNING"), ()):
        session = engine.open_session(SessionOptions(RecognitionOptions("en", hotwords), interim_results=False), 0)
        updates = [*session.advance(speech[: 5 * 16_000]), *session.finalize()]
        finals.append([update.segment.text for update in updates if isinstance(update, Final)])
    assert finals[0] == finals[1] != []


PROMPT = "Thank you for calling Acme Support, this call may be recorded."
ECHOES = [
    ("Thank you for calling Acme support.", (), PROMPT, "thank you for calling acme support"),
    ("Yes. This call may be recorded. Go on.", (), PROMPT, "this call may be recorded"),
    ("I called Acme Support yesterday.", (), PROMPT, None),
    ("Acme", (), PROMPT, None),
    (
        "Levothyroxine, Metoprolol succinate, hydrochlorothiazide",
        DRUGS,
        "",
        "levothyroxine metoprolol succinate hydrochlorothiazide",
    ),
    ("He takes metoprolol succinate and Apixaban.", DRUGS, "", None),
    ("Metoprolol succinate, hydrochlorothiazide", DRUGS, "", None),
    ("Long ago in Rome.", (), "", None),
]


@pytest.mark.parametrize(("text", "hotwords", "prompt", "echo"), ECHOES)
def test_several_words_in_a_row_are_an_echo(
    text: str, hotwords: tuple[str, ...], prompt: str, echo: str | None
) -> None:
    """Words of the prompt, or several hotwords in their order, are an echo. Single names are not."""
    assert echo_in(text, options_of(hotwords, prompt)) == echo


def test_characters_are_counted_in_languages_without_spaces() -> None:
    """In Japanese an echo is a run of characters."""
    options = RecognitionOptions("ja", decoding=DecodingOptions(initial_prompt="ご視聴ありがとうございました。"))
    assert echo_in("はい、ありがとうございました", options) == "ありがとうございました"
    assert echo_in("ありがたい話です", options) is None


def test_an_echo_is_confirmed_in_another_spelling() -> None:
    """What is decoded without a prompt confirms an echo although it spells names otherwise."""
    assert is_confirmed("levothyroxine metoprolol apixaban", "Levo thyroxin, meta prolol, a pixaban.")
    assert not is_confirmed("thank you for calling acme support", "Long ago in Rome.")
    assert not is_confirmed("thank you for calling acme support", "")
