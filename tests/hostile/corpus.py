"""The corpus: every hostile file by name, made from the repository's samples and from synthesis."""

import random
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.containers import containers
from tests.hostile.files import HostileFile, encode, wav

SAMPLES = Path(__file__).parents[2] / "samples"
SEED = 20_004
CUTS_PER_SEED = 12
FLIPS_PER_SEED = 16
RANDOM_FILES = 40
CENC = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "ffeeddccbbaa99887766554433221100",
}
MAGICS = (
    b"RIFF\0\0\0\0WAVEfmt ",
    b"fLaC",
    b"OggS\0\x02",
    b"\0\0\0\x20ftypM4A ",
    b"\x1aE\xdf\xa3",
    b"ID3\x04\0\0",
    b"FORM",
)


def seeds() -> dict[str, bytes]:
    """Return the valid files from which broken ones are made."""
    made = {
        "wav": encode("wav", "pcm_s16le"),
        "adpcm": encode("wav", "adpcm_ms"),
        "w64": encode("w64", "pcm_s24le"),
        "mp3": encode("mp3", "libmp3lame"),
        "m4a": encode("mp4", "aac"),
        "webm": encode("webm", "libopus"),
        "flac": encode("flac", "flac"),
    }
    return {**made, "panel": (SAMPLES / "panel.ogg").read_bytes()[:60_000]}


def corpus(canary: Path, port: int) -> Iterator[HostileFile]:
    """Yield every file.

    Args:
        canary: a local file that must not be read.
        port: a local TCP port that must see no connection.
    """
    rng = random.Random(SEED)  # noqa: S311 - the same files every time
    good = seeds()
    yield HostileFile("empty", b"", "EMPTY_AUDIO")
    yield HostileFile("encrypted-mp4", encode("mp4", "aac", CENC), "AUDIO_ENCRYPTED")
    yield from _lies()
    yield from _references(canary, port)
    yield from containers(canary)
    for name, data in good.items():
        for number in range(CUTS_PER_SEED):
            yield HostileFile(f"cut-{name}-{number}", data[: rng.randrange(1, len(data))])
        for number in range(FLIPS_PER_SEED):
            flipped = bytearray(data)
            reach = 200 if number % 2 else len(data)  # half of them in the header
            for _ in range(1 + number):
                flipped[rng.randrange(reach)] ^= 1 << rng.randrange(8)
            yield HostileFile(f"flip-{name}-{number}", bytes(flipped))
        for start in (b"%PDF-1.7\n", b"PK\x03\x04", b"<html><script>", b"#!/bin/sh\n"):
            yield HostileFile(f"polyglot-{name}-{start[:4]!r}", start + data)
    for number in range(RANDOM_FILES):
        start = MAGICS[number % len(MAGICS)] if number % 2 else b""
        yield HostileFile(f"random-{number}", start + rng.randbytes(rng.randrange(1, 20_000)))


def _lies() -> Iterator[HostileFile]:
    for channels in (0, 65, 65_535):
        yield HostileFile(f"channels-{channels}", wav(channels=channels), "AUDIO_PARAMETERS")
    for rate in (0, 1, 2_000_000_000, 4_000_000_000):
        yield HostileFile(f"rate-{rate}", wav(rate=rate), "AUDIO_PARAMETERS")
    for claimed in (0, 1, 2**31, 2**32 - 1):
        yield HostileFile(f"data-size-{claimed}", wav(claimed=claimed))
    yield HostileFile("too-long", wav(rate=8_000, payload=bytes(2 * 8_000 * 700)), "AUDIO_TOO_LONG")


def _references(canary: Path, port: int) -> Iterator[HostileFile]:
    for kind, target in {"file": str(canary), "url": canary.as_uri(), "tcp": f"http://127.0.0.1:{port}/a.wav"}.items():
        texts = {
            "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
            "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
            "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
            "xspf": f"<?xml version='1.0'?><playlist><track><location>{target}</location></track></playlist>",
            "dash": f"<?xml version='1.0'?><MPD type='static'><Period><BaseURL>{target}</BaseURL></Period></MPD>",
            "asx": f"<asx version='3.0'><entry><ref href='{target}'/></entry></asx>",
            "cue": f'FILE "{target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
            "srt": f"1\n00:00:00,000 --> 00:00:01,000\n{target}\n",
        }
        for name, text in texts.items():
            yield HostileFile(f"reference-{name}-{kind}", text.encode(), "NOT_AUDIO")
