"""The embedded default of ``neuralpedal demo``: a guitarist and a pedal that exist only as code."""
