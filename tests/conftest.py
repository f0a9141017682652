"""What tests share: real data where it is, small recordings, and a way to run the command line."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralpedal.contract.audio import write_recording

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

ROOT = Path(__file__).parents[1]
RATE_HZ = 48_000


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real recordings, outside the repository: $NEURALPEDAL_DATA or ../shared/data."""
    folder = Path(os.environ.get("NEURALPEDAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "sd1" / "dry_test.flac").is_file():
        message = f"{folder}: no real recordings there; set NEURALPEDAL_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


def plucks(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Something like a guitar, cheaply: decaying harmonics at changing pitches, float32 (T,), peak 0.5."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    signal = np.zeros_like(time_s)
    for onset in np.arange(0.0, seconds, 0.25):
        local = time_s - onset
        pitch = 110.0 * 2 ** (rng.integers(0, 24) / 12)
        note = sum(np.sin(2 * np.pi * pitch * k * local) / k**1.5 for k in range(1, 6))
        signal += np.where(local >= 0, note * np.exp(-6.0 * np.maximum(local, 0)), 0.0) * rng.uniform(0.1, 1.0)
    return (0.5 * signal / np.max(np.abs(signal)) + rng.normal(0, 1e-5, len(signal))).astype(np.float32)


def soft_clip(dry: NDArray[np.float32]) -> NDArray[np.float32]:
    """A pedal that a tiny network learns in seconds: asymmetric tanh with a one-pole low-pass as memory."""
    clipped = np.tanh(4.0 * dry + 0.2) - np.tanh(0.2)
    wet, previous = np.empty_like(clipped), 0.0
    for index, value in enumerate(clipped):
        previous += 0.4 * (value - previous)
        wet[index] = previous
    return (0.6 * wet).astype(np.float32)


@pytest.fixture(scope="session")
def pair_paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small dry and wet WAV of four seconds."""
    folder = tmp_path_factory.mktemp("pair")
    dry = plucks(4.0)
    write_recording(folder / "dry.wav", dry, RATE_HZ)
    write_recording(folder / "wet.wav", soft_clip(dry), RATE_HZ)
    return folder / "dry.wav", folder / "wet.wav"


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run ``neuralpedal`` in this process: exit code, stdout, stderr."""
    from neuralpedal.cli.main import run

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call
