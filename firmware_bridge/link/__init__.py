"""The link to a board that plays: frames, messages, models that travel, and what the board is asked."""
