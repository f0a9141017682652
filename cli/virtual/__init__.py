"""Circuits that exist only as code, for targets that need no recording."""
