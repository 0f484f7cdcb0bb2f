"""The record of a session and its event log: made, given to a worker, looked up."""
