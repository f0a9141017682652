"""Circuits and a guitar that exist only as code, for targets and takes that need no recording."""
