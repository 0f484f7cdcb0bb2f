"""Audio for every service: probing, decoding files and live streams, plain PCM.

FFmpeg never reads a caller's bytes in a service's own process. `MediaLauncher` keeps one small template process; every
probe, file or live stream is a fork of it, with limits on memory, processor time and files, killed when its owner
closes it.

Start from `launcher.MediaLauncher`, then `probe.probe`, `decode.decode`, `live.decode_live`; `pcm` holds what needs no
parsing. This file imports nothing, so that the template process stays small.
"""
