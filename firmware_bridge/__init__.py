"""Will turn a ``.tflite`` pedal into C for microcontrollers and talk to the board. Nothing is here yet."""
