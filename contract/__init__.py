"""What every stage must agree on, and nothing else.

A file belongs here only if two stages would go silently wrong by disagreeing about it: how audio is read, what ESR
means, what a network is, what a ``.tflite`` pedal carries, what the arithmetic must give.
"""
