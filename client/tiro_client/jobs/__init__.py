"""Jobs: recordings that are submitted, transcribed in the background, and watched.

* `job`, `job_events`: a job, and the events of its history.
* `job_options`, `subtitle_options`: options of a job and of a transcript's text.
* `submission`: turns a recording, wherever it is, into a job.
* `job_client`: the calls.
"""
