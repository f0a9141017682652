"""What networks of several sizes, in blocks of several sizes, cost on a board: uploaded, played, and taken back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS
from neuralpedal.firmware_bridge.golden import golden_dry
from neuralpedal.firmware_bridge.link.board import Board
from neuralpedal.firmware_bridge.link.protocol import Samples
from neuralpedal.firmware_bridge.link.uploading import upload
from neuralpedal.firmware_bridge.link.verifying import per_sample, share, stream_blocks
from neuralpedal.firmware_bridge.model_blob import ModelBlob


@dataclass(frozen=True)
class ProfileRow:
    """A network in blocks of one size; counts as in a BoardVerification."""

    arithmetic: str
    hidden_size: int
    block_samples: int
    counts_per_sample: float | None
    largest_counts_per_sample: float | None
    share_of_sample_period: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def profile_board(board: Board, make_blob: Callable[[int], ModelBlob], hidden_sizes: Sequence[int],
                  block_sizes: Sequence[int], sample_rate_hz: int, blocks: int = 20,
                  report: Callable[[float], None] = lambda _: None) -> Iterator[ProfileRow]:
    """Rows as they are measured, in the slot that does not play. What played before plays again afterwards.

    Args:
        make_blob: of a hidden size. blocks: how many of each size are played.

    Raises:
        LinkError: a network that does not fit, or the line is gone.
    """
    rounds = [(hidden, size) for hidden in hidden_sizes for size in block_sizes]
    with _kept_selection(board) as restore:
        for number, (hidden, size) in enumerate(rounds):
            if size == block_sizes[0]:
                restore()
                blob = make_blob(hidden)
                upload(board, blob)
            board.reset()
            dry = golden_dry(size * blocks, sample_rate_hz)
            samples = dry if board.info.samples == Samples.INT16 else (dry / INT16_STEPS).astype(np.float32)
            median, largest = per_sample(board.info, stream_blocks(board, samples, size)[1])
            report((number + 1) / len(rounds))
            yield ProfileRow(blob.arithmetic.name.lower(), hidden, size, median, largest,
                             share(board.info, median, sample_rate_hz))


@contextmanager
def _kept_selection(board: Board) -> Iterator[Callable[[], None]]:
    """Gives a function that plays the former model again, and calls it at the end."""
    before = board.hello().selected

    def restore() -> None:
        if before is not None:
            board.select(before)

    try:
        yield restore
    finally:
        restore()
        board.hello()  # gives the pedal back to the guitar
