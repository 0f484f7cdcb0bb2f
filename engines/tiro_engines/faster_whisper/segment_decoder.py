"""Decodes the speech segments of a recording, and decodes again what is rejected.

A loop is decoded again in halves, a text that is copied from the prompt without it, anything else in faster-whisper's
long form.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tiro_engines.faster_whisper.batch_decoder import REPEATED_TOKENS, BatchDecoder, DecodedBatch, loops
from tiro_engines.faster_whisper.echoes import echo_in, is_confirmed
from tiro_engines.faster_whisper.generated import Generated, is_hallucinated
from tiro_engines.faster_whisper.hallucination_filter import FASTER_THAN_SPEECH, HallucinationFilter
from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.faster_whisper.long_form import BEAM_SIZE, decode_long_form
from tiro_engines.faster_whisper.prompts import without_prompt
from tiro_engines.faster_whisper.sentences import sentences
from tiro_engines.faster_whisper.speech_segments import SEGMENT_SECONDS_MAX
from tiro_engines.faster_whisper.speech_stretches import SpeechSegment
from tiro_engines.faster_whisper.spoken_language import SpokenLanguage
from tiro_engines.faster_whisper.tasks import DecodingTask, Effort
from tiro_engines.faster_whisper.window_parts import after, between, halves
from tiro_engines.interface import SAMPLE_RATE, RecognitionOptions, Segment, Window
from tiro_engines.windowed.decoder import DecodedWord
from tiro_engines.windowed.segments import segment_of

PAD_SECONDS = 8
HALF_SAMPLES_MIN = 3 * SAMPLE_RATE
"""The shortest half of a segment whose text loops. A shorter one has too little context."""
LOG_PROBABILITY_MIN = -1.0
"""A text with a lower log probability is decoded again. The threshold is Whisper's own."""


class SegmentDecoder:
    """Decodes with one loaded model. Safe to share between threads."""

    def __init__(self, whisper: Any, languages: Languages, batch_decoder: BatchDecoder) -> None:
        self._whisper = whisper
        self._languages = languages
        self._batch_decoder = batch_decoder

    def decode(self, parts: Sequence[Window], options: RecognitionOptions, output: HallucinationFilter) -> None:
        """Decode speech segments in one batch, and those that are rejected once more in the long form."""
        batch = self._batch_decoder.generate([self._task(part, options) for part in parts])
        texts = [_accepted(part, generated, batch) for part, generated in zip(parts, batch.generated, strict=True)]
        aligned = self._batch_decoder.words(batch, [text or [] for text in texts])
        for part, generated, text, words in zip(parts, batch.generated, texts, aligned, strict=True):
            if self._is_echo(generated.text, part, options):
                self.decode([part], without_prompt(options), output)
                continue
            if text is None:
                self._decode_again(part, generated, batch, options, output)
            else:
                self._write(part, generated, words, options, output)

    def _write(
        self,
        part: Window,
        generated: Generated,
        words: Sequence[DecodedWord],
        options: RecognitionOptions,
        output: HallucinationFilter,
    ) -> None:
        """Write the sentences of a speech segment."""
        end = part.offset + len(part.samples)
        if not words:
            output.accept(Segment(generated.text, part.offset, end), generated)
        for sentence in sentences(words):
            language = options.language or ""
            segment = segment_of(sentence, part.offset, end, language, with_words=options.word_timestamps)
            output.accept(segment, replace(generated, text=segment.text))
        spoken = sum(len(word.tokens) for word in words)
        if words and spoken < len(generated.tokens):
            rest = self._whisper.hf_tokenizer.decode(generated.tokens[spoken:]).strip()
            at = part.offset + words[-1].end
            output.drop(Segment(rest, at, max(at, end)), FASTER_THAN_SPEECH)

    def _decode_again(
        self,
        part: Window,
        generated: Generated,
        batch: DecodedBatch,
        options: RecognitionOptions,
        output: HallucinationFilter,
    ) -> None:
        """Decode a speech segment whose text was rejected: the halves of a loop, anything else in the long form.

        Over a shorter segment the decoder seldom loops, and what is behind a repetition is not lost.
        """
        output.raise_if_cancelled()
        if not loops(part.samples, generated, batch.vocabulary):
            self.long_form(part, options, output)
        elif len(part.samples) >= 2 * HALF_SAMPLES_MIN:
            self.decode(halves(part), options, output)
        else:
            self._without_repetitions(part, options, output)

    def _without_repetitions(self, part: Window, options: RecognitionOptions, output: HallucinationFilter) -> None:
        """Decode a speech segment once more, with repetitions forbidden."""
        batch = self._batch_decoder.generate([self._task(part, options)], REPEATED_TOKENS)
        generated = batch.generated[0]
        if text := _accepted(part, generated, batch):
            self._write(part, generated, self._batch_decoder.words(batch, [text])[0], options, output)
        else:
            self.long_form(part, options, output)

    def _is_echo(self, text: str, part: Window, options: RecognitionOptions) -> bool:
        """Whether a text is copied from prompt or hotwords, and not in its audio."""
        echo = echo_in(text, options)
        if echo is None or options.decoding.translate:
            return False
        again = self._batch_decoder.generate([self._task(part, without_prompt(options))])
        return not is_confirmed(echo, again.generated[0].text)

    def _task(self, part: Window, options: RecognitionOptions) -> DecodingTask:
        language = SpokenLanguage(self._whisper, self._languages, options.language)
        effort = Effort(PAD_SECONDS, options.decoding.beam_size or BEAM_SIZE)
        prompt = options.decoding.initial_prompt
        tokens = self._whisper.hf_tokenizer.encode(f" {prompt}", add_special_tokens=False).ids if prompt else []
        return DecodingTask(part.samples, effort, language, " ".join(options.hotwords) or None, prompt=tokens)

    def long_form(
        self,
        window: Window,
        options: RecognitionOptions,
        output: HallucinationFilter,
        stretches: Sequence[SpeechSegment] = (),
    ) -> None:
        """Decode a window in the long form.

        Args:
            window: The window.
            options: Its options.
            output: Takes the segments.
            stretches: The stretches of speech that are decoded, joined. Empty: all samples.
        """
        output.raise_if_cancelled()
        decoded = decode_long_form(self._whisper, window, options, stretches)
        done = window.offset
        named = replace(options, language=decoded.language.code)
        for segment, generated in decoded.segments:
            begin = max(done, segment.end - SEGMENT_SECONDS_MAX * SAMPLE_RATE)
            if self._is_echo(segment.text, between(window, begin, segment.end), named):
                rest = between(window, done, window.offset + len(window.samples))
                self.long_form(rest, without_prompt(named), output, after(stretches, done - window.offset))
                break
            output.accept(segment, generated)
            done = segment.end
        output.raise_if_cancelled()


def _accepted(part: Window, generated: Generated, batch: DecodedBatch) -> list[int] | None:
    """The accepted tokens; no tokens for a hallucination. None where the text is decoded again."""
    if is_hallucinated(generated):
        return []
    unlikely = generated.log_probability < LOG_PROBABILITY_MIN
    rejected = unlikely or generated.truncated or loops(part.samples, generated, batch.vocabulary)
    return None if rejected else generated.tokens
