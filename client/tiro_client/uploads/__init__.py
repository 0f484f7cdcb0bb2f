"""Uploads: recordings that are sent in pieces, and resumed after a lost connection.

* `upload`: a recording that has been uploaded.
* `upload_source`: reads and digests the bytes to send.
* `upload_client`: the calls.
"""
