"""Proves a board: streams golden audio through it, compares every sample with the reference, and says what it took."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import LinkError
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.golden import golden_dry
from neuralpedal.firmware_bridge.link.board import Board
from neuralpedal.firmware_bridge.link.messages import BoardInfo
from neuralpedal.firmware_bridge.link.protocol import Counter, Samples
from neuralpedal.firmware_bridge.model_blob import blob_digest

BLOCK_SAMPLES = 48
"""One millisecond at 48 kHz, as under the emulator."""


@dataclass(frozen=True)
class BoardVerification:
    """What came out.

    Attributes:
        passed: no sample differs by more than the arithmetic allows (0 for integer networks).
        max_abs_difference, allowed_difference: in full-scale units. counter: what the board counts.
        counts_per_sample: median over blocks of ``block_samples``.
        share_of_sample_period: of the board's clock, None where it counts nothing; where it counts instructions, as if
            each took one cycle.
    """

    passed: bool
    board: str
    model: str
    samples: int
    block_samples: int
    differing_samples: int
    max_abs_difference: float
    allowed_difference: float
    counter: str
    counts_per_sample: float | None
    largest_counts_per_sample: float | None
    share_of_sample_period: float | None
    overruns: int
    stack_bytes: int
    stack_free_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def verify_board(board: Board, model: Path, samples: int, report: Callable[[float], None] = lambda _: None,
                 block_samples: int = BLOCK_SAMPLES) -> BoardVerification:
    """Stream ``samples`` of golden audio through the model that plays, which must be ``model``.

    Raises:
        LinkError: it plays another model, or the line is gone. ModelFileError: the file cannot be read.
    """
    file = read_tflite(model)
    _check_model(board.hello(), model)
    rate_hz, is_int16 = file.manifest().recurrent.sample_rate_hz, board.info.samples == Samples.INT16
    dry, expected = golden_dry(samples, rate_hz), ExpectedAudio(file)
    sent: NDArray[Any] = dry if is_int16 else (dry / INT16_STEPS).astype(np.float32)
    wanted: NDArray[Any] = expected.play_int16(dry) if is_int16 else expected.play(sent)
    board.statistics(clear=True)
    board.reset()
    got, counts = stream_blocks(board, sent, block_samples, report)
    steps = 1.0 / INT16_STEPS if is_int16 else 1.0
    difference = np.abs(got.astype(np.float64) - wanted) * steps
    allowed = expected.tolerance.int16 * steps if is_int16 else expected.tolerance.float32
    statistics = board.statistics()
    board.hello()  # gives the pedal back to the guitar
    median, largest = per_sample(board.info, counts)
    return BoardVerification(
        passed=bool(difference.max() <= allowed), board=board.info.board, model=file.manifest().name, samples=samples,
        block_samples=block_samples, differing_samples=int(np.count_nonzero(difference)),
        max_abs_difference=float(difference.max()), allowed_difference=allowed,
        counter=board.info.counter.name.lower(), counts_per_sample=median, largest_counts_per_sample=largest,
        share_of_sample_period=share(board.info, median, rate_hz), overruns=statistics.overruns,
        stack_bytes=statistics.stack_bytes, stack_free_bytes=statistics.stack_free_bytes)


def stream_blocks(board: Board, samples: NDArray[Any], block_samples: int,
                  report: Callable[[float], None] = lambda _: None) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The board's answers, and what it counted per sample in each whole block. Raises LinkError."""
    answers, counts = [], []
    size = min(block_samples, board.info.block_samples)
    for start in range(0, len(samples), size):
        block = samples[start : start + size]
        count, answer = board.play(block.astype(block.dtype.newbyteorder("<")).tobytes())
        answers.append(np.frombuffer(answer, block.dtype.newbyteorder("<")))
        if len(block) == size:
            counts.append(count / size)
        report((start + len(block)) / len(samples))
    return np.concatenate(answers), np.array(counts or [0.0])


def per_sample(info: BoardInfo, counts: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Median and maximum, or None where a board counts nothing."""
    return (None, None) if info.counter == Counter.NONE else (float(np.median(counts)), float(counts.max()))


def share(info: BoardInfo, counts_per_sample: float | None, sample_rate_hz: int) -> float | None:
    """Of a sample period."""
    if counts_per_sample is None or not info.clock_hz:
        return None
    return counts_per_sample * sample_rate_hz / info.clock_hz


def _check_model(info: BoardInfo, model: Path) -> None:
    playing = info.playing
    if playing is None or playing.digest != blob_digest(model):
        raise LinkError(f"{model}: is not what {info.board} plays ({playing.name if playing else 'no model'}); "
                        f"neuralpedal link upload {model}")
