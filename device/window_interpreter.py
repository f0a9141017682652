"""Plays frame networks: every output sample is the answer to the last F input samples, from zero state.

The file knows no history: it is given N windows of F samples, [F, N, 1], and gives N answers. So what the player keeps
between blocks is audio, and the states are zeroed before every run.
A block of more than 64 samples is played in several runs: the LSTM writes the hidden states of all steps, and those of
64 windows still fit into a core's cache (a block of 1,024 at once took 1.3 times as long per sample) and into memory.
"""

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.signal_chain import signal_chain
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.device.interpreter import PreparedInterpreter

WINDOWS_AT_ONCE = 64


class WindowInterpreter(PreparedInterpreter):
    """A frame network that remembers the last F − 1 samples.

    Args:
        file: of a frame network. code: its input's integer format, None for float audio.
        Others: see :class:`PreparedInterpreter`.
    """

    def __init__(self, file: TfliteFile, code: AffineCode | None, block_size: int, package: str | None = None) -> None:
        runs = -(-block_size // WINDOWS_AT_ONCE)
        count = -(-block_size // runs)
        frame = file.tensors[file.inputs[0]].shape[0]
        shapes: dict[int, tuple[int, ...]] = {file.inputs[0]: (frame, count, 1)}
        shapes |= {index: (count, *file.tensors[index].shape[1:]) for index in signal_chain(file).states}
        super().__init__(Path(file.path), shapes, package)
        self._silence = code.zero_point if code else 0
        # The past lies right in front of the block, so that every window is a plain stretch of the track.
        track = np.full(frame - 1 + block_size, self._silence, self._input_view().dtype)
        self._past, self._newest = track[: frame - 1], track[block_size:]
        self._block = track[frame - 1 :]
        self._answers = np.zeros(block_size, self._output_view().dtype)
        # Row f holds sample f of all windows. The last run ends with the block and may repeat some of its neighbour's.
        rows = sliding_window_view(track, count)
        starts = [min(run * count, block_size - count) for run in range(runs)]
        self._runs = [(rows[start : start + frame], self._answers[start : start + count]) for start in starts]

    @property
    def input(self) -> np.ndarray:
        """See :class:`PreparedInterpreter`."""
        return self._block

    @property
    def output(self) -> np.ndarray:
        """See :class:`PreparedInterpreter`."""
        return self._answers

    def invoke(self) -> None:
        """See :class:`PreparedInterpreter`."""
        for windows, answers in self._runs:
            self._interpreter.reset_all_variables()
            self._input_view()[:, :, 0] = windows
            self._interpreter.invoke()
            answers[:] = self._output_view()[0, :, 0]
        # They overlap when the block is shorter than the past; NumPy copies one dimension in the order that is safe.
        self._past[:] = self._newest

    def reset(self) -> None:
        """Forget the past: silence."""
        self._past[:] = self._silence
