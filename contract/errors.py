"""The errors that this package raises on purpose; everything else is a bug.

::

    PedalError
    ├ RecordingError(ValueError)    wrong rate, length, clipped, silent, misaligned
    ├ ModelFileError(ValueError)    unreadable, truncated, newer format, unsupported operator
    ├ SpecError(ValueError)         impossible or unsupported network, recipe or option
    ├ TrainingError(RuntimeError)   never gave a finite result
    ├ ConversionError(RuntimeError) a float operator left, degradation above the limit
    ├ FirmwareError(RuntimeError)   over budget, C compiler failed, board disagrees
    ├ OutputError(OSError)          a result cannot be written: no permission, disk full
    └ DeviceError(OSError)          no interpreter, no sound card, xrun storm
      ├ AudioDeviceError
      ├ ControlError
      └ LinkError(TimeoutError)

Each is also the builtin that a caller would expect. A message names what, found, wanted and the next step.
"""


class PedalError(Exception):
    """Base of every error raised on purpose; ``cli`` prints it as one line."""


class RecordingError(PedalError, ValueError):
    """A recording, or a dry/wet pair, cannot be used."""


class ModelFileError(PedalError, ValueError):
    """A model file cannot be read or is not one of ours."""


class SpecError(PedalError, ValueError):
    """A network, recipe or option asks for something impossible or unsupported."""


class TrainingError(PedalError, RuntimeError):
    """A training ended without a usable network."""


class ConversionError(PedalError, RuntimeError):
    """A conversion failed or its result is not what was promised."""


class FirmwareError(PedalError, RuntimeError):
    """Generated C does not fit, compile or agree."""


class OutputError(PedalError, OSError):
    """A result could not be written; nothing half-written is left."""


class DeviceError(PedalError, OSError):
    """The machine that plays lacks something."""


class AudioDeviceError(DeviceError):
    """A sound card is missing or refuses the format."""


class ControlError(DeviceError):
    """A footswitch, knob or MIDI port is missing."""


class LinkError(DeviceError, TimeoutError):
    """The board did not answer, or answered wrongly."""
