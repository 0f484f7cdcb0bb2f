"""The containers and codecs that are accepted, and why the others are not.

FFmpeg recognizes formats by content, not by the name of a file. Formats that refer to other files or addresses (concat,
hls, dash, sdp, image sequences) would let an upload read the server's files and network, so only formats that contain
their media are on the list. Decoders are listed as well, because FFmpeg tries decoders to find out about streams, and
those of video are a large attack surface without use for transcription. Sound of games is left out for the same reason.

`make formats` writes docs/formats.md from these tables.
"""

from typing import NamedTuple


class Format(NamedTuple):
    """Formats that belong together for people.

    Attributes:
        title: what people call them.
        names: FFmpeg's names: of demuxers, or of decoders.
    """

    title: str
    names: tuple[str, ...]


CONTAINER_FORMATS = (
    Format("WAV, RF64, Wave64", ("wav", "w64")),
    Format("AIFF, AU, CAF, VOC, IRCAM, SoX", ("aiff", "au", "caf", "voc", "ircam", "sox")),
    Format("NIST SPHERE, Shorten (speech corpora)", ("nistsphere", "shn")),
    Format("MP3", ("mp3",)),
    Format("AAC (ADTS, LATM)", ("aac", "loas")),
    Format("FLAC, WavPack, Monkey's Audio, TTA, TAK, Musepack", ("flac", "wv", "ape", "tta", "tak", "mpc", "mpc8")),
    Format("AC-3, E-AC-3, DTS, DTS-HD, TrueHD, MLP", ("ac3", "eac3", "dts", "dtshd", "truehd", "mlp")),
    Format("AMR, GSM, iLBC, QCP (telephony)", ("amr", "gsm", "ilbc", "qcp")),
    Format("DSS (dictation machines)", ("dss",)),
    Format("Ogg", ("ogg",)),
    Format("MP4, M4A, MOV, 3GP", ("mov",)),  # references to other files are off by default and cannot be opened here
    Format("Matroska, WebM", ("matroska",)),
    Format("MPEG transport and program streams (TS, M2TS, MPG, VOB)", ("mpeg", "mpegts")),
    Format("MXF, GXF (broadcasting)", ("mxf", "gxf")),
    Format("AVI, FLV, Windows Media, RealMedia", ("avi", "flv", "asf", "xwma", "rm")),
)

CODEC_FORMATS = (
    Format(
        "PCM of 8 to 64 bits, integer and float; A-law, mu-law",
        (
            *("pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s8_planar", "pcm_vidc"),
            *("pcm_s16le", "pcm_s16be", "pcm_s16le_planar", "pcm_s16be_planar", "pcm_u16le", "pcm_u16be"),
            *("pcm_s24le", "pcm_s24be", "pcm_s24le_planar", "pcm_u24le", "pcm_u24be"),
            *("pcm_s32le", "pcm_s32be", "pcm_s32le_planar", "pcm_u32le", "pcm_u32be", "pcm_s64le", "pcm_s64be"),
            *("pcm_f16le", "pcm_f24le", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
        ),
    ),
    Format("PCM of Blu-ray, DVD and broadcasting (S302M)", ("pcm_bluray", "pcm_dvd", "s302m")),
    Format(
        "ADPCM (IMA, Microsoft, Yamaha, Flash, Creative, Dialogic)",
        (
            *("adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "adpcm_yamaha", "adpcm_swf", "adpcm_ima_oki", "adpcm_ct"),
            *("adpcm_sbpro_2", "adpcm_sbpro_3", "adpcm_sbpro_4"),
        ),
    ),
    Format("G.722, G.723.1, G.726, G.728, G.729", ("g722", "g723_1", "g726", "g726le", "g728", "g729")),
    Format("GSM, AMR-NB, AMR-WB, iLBC, Speex", ("gsm", "gsm_ms", "amrnb", "amrwb", "ilbc", "speex")),
    Format("QCELP, EVRC, TrueSpeech, Nellymoser, DSS", ("qcelp", "evrc", "truespeech", "nellymoser", "dss_sp")),
    Format("MP1, MP2, MP3", ("mp1float", "mp2float", "mp2", "mp3float", "mp3")),
    Format("AAC, HE-AAC", ("aac", "aac_latm")),
    Format("AC-3, E-AC-3, DTS, TrueHD, MLP", ("ac3", "eac3", "dca", "truehd", "mlp")),
    Format("Opus, Vorbis", ("opus", "vorbis")),
    Format("Windows Media Audio", ("wmav1", "wmav2", "wmapro", "wmavoice", "wmalossless")),
    Format("RealAudio", ("cook", "sipr", "real_144", "real_288")),
    Format("QDesign, MACE (old QuickTime)", ("qdm2", "qdmc", "mace3", "mace6")),
    Format(
        "FLAC, ALAC, WavPack, Monkey's Audio, TTA, TAK, Shorten, Musepack",
        ("flac", "alac", "wavpack", "ape", "tta", "tak", "shorten", "mpc7", "mpc8"),
    ),
)

CONTAINERS = tuple(name for each in CONTAINER_FORMATS for name in each.names)
DECODERS = tuple(name for each in CODEC_FORMATS for name in each.names)

STATES_NO_DURATION = frozenset(
    {"aac", "loas", "ac3", "eac3", "dts", "truehd", "mlp", "amr", "gsm", "mpeg", "mpegts", "alaw", "mulaw", "g722"}
)
"""Containers without a duration in any header: FFmpeg's figure for them is a guess from the first bit rate."""
