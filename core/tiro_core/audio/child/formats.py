"""The containers and codecs that are accepted, and why the others are not.

FFmpeg recognizes formats by content, not by the name of a file. Formats that refer to other files or addresses (concat,
hls, dash, sdp, image sequences) would let an upload read the server's files and network, so only formats that contain
their media are on the list. Decoders are listed as well, because FFmpeg tries decoders to find out about streams, and
those of video are a large attack surface without use for transcription.
"""

CONTAINERS = (
    # Plain samples with a header; telephony's mu-law and A-law travel in wav and au.
    "wav",
    "w64",
    "aiff",
    "au",
    "caf",
    "voc",
    "nistsphere",  # speech corpora
    # One audio codec and its own framing.
    "mp3",
    "aac",
    "loas",
    "ac3",
    "eac3",
    "flac",
    "amr",
    "wv",
    "ape",
    "tta",
    # Containers for audio or video of which only the audio is opened.
    "ogg",
    "mov",  # also mp4, m4a, 3gp; references to other files are off by default and cannot be opened here
    "matroska",  # also webm
    "asf",  # Windows Media: dictation machines, old conference recordings
    "avi",
    "flv",
    "mpeg",
    "mpegts",
)

DECODERS = (
    # Uncompressed and companded.
    "pcm_alaw",
    "pcm_mulaw",
    "pcm_u8",
    "pcm_s8",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s24be",
    "pcm_s32le",
    "pcm_s32be",
    "pcm_f32le",
    "pcm_f32be",
    "pcm_f64le",
    "pcm_f64be",
    # Telephony and dictation.
    "adpcm_ima_wav",
    "adpcm_ima_qt",
    "adpcm_ms",
    "g722",
    "g726",
    "gsm",
    "gsm_ms",
    "amrnb",
    "amrwb",
    "ilbc",
    "speex",
    # General compressed audio.
    "mp1float",
    "mp2float",
    "mp2",
    "mp3float",
    "mp3",
    "aac",
    "aac_latm",
    "ac3",
    "eac3",
    "vorbis",
    "opus",
    "wmav1",
    "wmav2",
    "wmapro",
    "wmavoice",
    # Lossless.
    "flac",
    "alac",
    "wavpack",
    "ape",
    "tta",
)

STATES_NO_DURATION = frozenset({"aac", "loas", "ac3", "eac3", "amr", "mpeg", "mpegts"})
"""Containers without a duration in any header: FFmpeg's figure for them is a guess from the first bit rate."""
