"""Turns a trained network into int8 ``.tflite`` pedals and measures what that costs."""
