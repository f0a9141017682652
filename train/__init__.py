"""Keras models of an analog pedal, from a dry and a wet recording."""
