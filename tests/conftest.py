"""What tests share: real data where it is, small recordings, and a way to run the command line."""

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jack_rig import PERIOD, JackServer, running_server
from neuralpedal.contract.audio import write_recording
from signals import RATE_HZ, plucks, soft_clip

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

with suppress(ImportError):  # the small environment with tflite-runtime has no hypothesis
    from hypothesis import settings

    # An example that waits for a busy machine is not wrong.
    settings.register_profile("neuralpedal", deadline=None)
    settings.load_profile("neuralpedal")

ROOT = Path(__file__).parents[1]


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


@pytest.fixture
def c_compiler() -> None:
    """Skips a test, or fails it where CI must have everything, without a C compiler."""
    if not shutil.which("cc"):
        message = "no C compiler (apt install gcc)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def jack_period() -> int:
    """Of :func:`jack_server`, in samples; files of tests may have their own."""
    return PERIOD


@pytest.fixture
def jack_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jack_period: int) -> Iterator[JackServer]:
    """A running JACK server with a dummy sound card, which this process and its children find."""
    with running_server(tmp_path, monkeypatch, period=jack_period) as server:
        yield server


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """Neither the process nor a child may have been more than 500 MB larger than now at any time in the test."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    grown_bytes = 1024 * (largest - before)
    assert grown_bytes < 500e6
