"""Footswitches, LEDs, encoders, knobs, MIDI, keys and a socket: whatever lets a guitarist ask a pedal for something."""
