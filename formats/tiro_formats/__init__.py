"""Transcripts as text and subtitles, written page by page: the pages of a format, concatenated, are the file.

* `writer`: the interface of a format, and the list of all of them.
* `writers/`: one module per format.
* `registry`: finds a format's writer by name, by value of the contract's enum, or by file name.
* `cues`: splits segments into subtitle cues.
* `whole`: writes all segments of a transcript at once.
"""
