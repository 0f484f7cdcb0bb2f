"""Stages between the engine and the transcript, the same for jobs and live sessions. See docs/how-to-add-a-stage.md."""
