"""Shadows: another engine hears a job's recording as well, and how much they differ is recorded, nothing else."""
