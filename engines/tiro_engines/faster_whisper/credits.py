"""Credits of subtitles, which are not speech, and which Whisper has learnt from films.

Collected by users of Whisper in https://github.com/openai/whisper/discussions/928.
"""

import re

_CREDITS = re.compile(
    r"""
      amara\.?\s?org
    | opensubtitles
    | soustitreur\.com
    | sous-titrage\s+(st|soci[ée]t[ée]\s+radio)
    | untertitel(ung)?\s+(im\s+auftrag|aufgrund|von\s+stephanie\s+geiges)
    | (субтитры|титры|редактор\s+субтитров)\W+(сделал|создавал|подогнал|делал|добавил)
    | dimatorzok
    | ^\W*(subtitles|captions|subtitled|captioned|transcription)\s+by\b
    | 字幕(by|志[愿願]者|製作|制作|由)
    | 请不吝点赞
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_subtitle_credit(text: str) -> bool:
    """Whether a sentence names the makers of subtitles."""
    return _CREDITS.search(text) is not None
