"""Plays a pedal: blocks of samples in, blocks out, each one timed. Never loads TensorFlow, Keras or SciPy."""
