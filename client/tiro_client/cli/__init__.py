"""The `tiro` command line.

* `main`: the command, its global options, and the commands of other installed packages (`plugins`).
* `transcribe/`, `live/`, `jobs/`, `engines`: the commands.
* `runner`: runs a command and turns its errors into a line and an exit code (`exit_codes`).
* `client_options`, `recognition_arguments`, `option_groups`: options that commands share.
"""
