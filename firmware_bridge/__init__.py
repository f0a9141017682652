"""Turns a ``.tflite`` pedal into C99 for microcontrollers and other hosts, builds it, runs it, compares every sample.

``project.py`` writes, ``verification.py`` proves; the C itself lies in runtime/, compilers and machines in targets/.
"""
