"""`tiro transcribe`: recordings to text.

* `command`, `job_arguments`: the command and its options.
* `recordings`: the files and URIs that it is given.
* `batch`: submits and follows several jobs at once.
* `progress`, `output`: what is shown, and where transcripts are written.
"""
