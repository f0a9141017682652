"""What stands between float audio and the integers of a ``w8a8`` file, the same for every player.

Plain files have one int8 channel in and out. Others have two (:mod:`neuralpedal.contract.coarse_fine`), and leave the
skip to the player.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.audio_code import CHANNELS
from neuralpedal.contract.coarse_fine import CoarseFineInput, CoarseFineOutput
from neuralpedal.contract.tflite_file import TfliteFile

Integers = NDArray[np.int8]
Floats = NDArray[np.float32]


class AudioBorder(ABC):
    """Turns blocks into integers and answers into blocks.

    Attributes:
        channels: of the dry signal.
    """

    channels: int

    @abstractmethod
    def encode(self, dry: Floats) -> Integers:
        """(T,) to (T,), or (T, channels)."""

    @abstractmethod
    def encode_into(self, dry: Floats, out: Integers) -> None:
        """As :meth:`encode` of one block. Real-time safe."""

    @abstractmethod
    def decode(self, answers: Sequence[Integers], dry: Floats) -> Floats:
        """The wet signal (T,) of the graph's outputs, each (T,); ``dry`` is what was encoded."""

    @abstractmethod
    def decode_into(self, answers: Sequence[Integers], dry: Floats, out: Floats) -> None:
        """As :meth:`decode` of one block; ``out`` must not be ``dry``. Real-time safe."""


class _Plain(AudioBorder):
    channels = 1

    def __init__(self, file: TfliteFile, block_size: int) -> None:
        self._input, self._output = (code_of(file.tensors[index], str(file.path))
                                     for index in (file.inputs[0], file.outputs[0]))
        self._steps, self._halves = np.zeros(block_size), np.zeros(block_size)

    def encode(self, dry: Floats) -> Integers:
        return self._input.encode(dry)

    def encode_into(self, dry: Floats, out: Integers) -> None:
        self._input.encode_into(dry, out, self._steps, self._halves)

    def decode(self, answers: Sequence[Integers], dry: Floats) -> Floats:
        return self._output.decode(answers[0])

    def decode_into(self, answers: Sequence[Integers], dry: Floats, out: Floats) -> None:
        self._output.decode_into(answers[0], out)


class _CoarseFine(AudioBorder):
    channels = CHANNELS

    def __init__(self, file: TfliteFile, block_size: int) -> None:
        manifest = file.manifest()
        assert manifest.audio_code
        codes = [code_of(file.tensors[index], str(file.path)) for index in (*file.inputs, *file.outputs)]
        self._input = CoarseFineInput(codes[0].scale, manifest.audio_code.ratio, block_size)
        self._output = CoarseFineOutput(codes[1], codes[2], block_size)
        self._skip = manifest.recurrent.skip

    def encode(self, dry: Floats) -> Integers:
        return self._input.encode(dry)

    def encode_into(self, dry: Floats, out: Integers) -> None:
        self._input.encode_into(dry, out)

    def decode(self, answers: Sequence[Integers], dry: Floats) -> Floats:
        wet = self._output.decode(*answers)
        return wet + np.asarray(dry, np.float32) if self._skip else wet

    def decode_into(self, answers: Sequence[Integers], dry: Floats, out: Floats) -> None:
        self._output.decode_into(answers[0], answers[1], out)
        if self._skip:
            np.add(out, dry, out=out)


def open_border(file: TfliteFile, block_size: int = 1) -> AudioBorder:
    """The border of an integer file; ``block_size`` is of the ``_into`` methods.

    Raises:
        ModelFileError: an input or output that is no integer with one scale.
    """
    return (_CoarseFine if file.manifest().audio_code else _Plain)(file, block_size)
