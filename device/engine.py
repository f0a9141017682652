"""An engine plays one model: blocks of float32 in, blocks of float32 out, state kept between them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.manifest import Manifest

Block = NDArray[np.float32]

ENGINES = ("native", "litert", "reference")
"""native: C compiled for this machine; litert: the TFLite interpreter; reference: NumPy, slow, what everything else is
proved against."""

MAX_BLOCK_SIZE = 65_536


class Engine(ABC):
    """One prepared model.

    Attributes:
        manifest: of the file that plays.
        block_size: samples per call of :meth:`process`.
        description: engine and package, for tables.
    """

    manifest: Manifest
    block_size: int
    description: str

    @abstractmethod
    def process(self, dry: Block, wet: Block) -> None:
        """Play one block: reads ``dry`` (block_size,), writes ``wet`` (block_size,); they may be the same array."""

    @abstractmethod
    def reset(self) -> None:
        """Forget what was played, as after opening. Not real-time safe."""

    @property
    def sample_rate_hz(self) -> int:
        """The only rate at which the model plays rightly."""
        return self.manifest.sample_rate_hz

    def prewarm(self, seconds: float = 0.5) -> None:
        """Play silence until start-up transients of the state are over. Not real-time safe.

        A file that brings its own initial state begins in exactly that one, where whoever made it wants it to begin:
        then the silence only warms caches, and a reset follows.
        """
        silence, wet = np.zeros(self.block_size, np.float32), np.empty(self.block_size, np.float32)
        for _ in range(max(1, round(seconds * self.sample_rate_hz / self.block_size))):
            self.process(silence, wet)
        if self.manifest.initial_state is not None:
            self.reset()


def open_engine(path: Path, engine: str = "litert", block_size: int = 64, **options: Any) -> Engine:
    """Open a ``.tflite`` pedal.

    Args:
        engine: a name of ``ENGINES``.
        block_size: 1 to 65,536 samples.
        options: passed to the engine: ``package`` for litert, ``library`` (folder of the compiled pedal) for native.

    Raises:
        SpecError: unknown engine, impossible block size.
        ModelFileError: the file cannot be played.
        DeviceError: no interpreter is installed.
    """
    if not 1 <= block_size <= MAX_BLOCK_SIZE:
        raise SpecError(f"block size {block_size}: wanted 1 to {MAX_BLOCK_SIZE} samples")
    if engine == "litert":
        from neuralpedal.device.litert_engine import LiteRTEngine

        return LiteRTEngine(path, block_size, **options)
    if engine == "reference":
        from neuralpedal.device.reference_engine import ReferenceEngine

        return ReferenceEngine(path, block_size)
    if engine == "native":
        from neuralpedal.device.native_engine import NativeEngine

        return NativeEngine(path, block_size, **options)
    raise SpecError(f"engine {engine!r}: not one of {', '.join(ENGINES)}")
