"""The demo's recordings: one take to train on and another, never trained on, to be judged by."""

from dataclasses import dataclass
from pathlib import Path

from neuralpedal.cli.demo.overdrive import Overdrive
from neuralpedal.cli.virtual.guitar import synthesize_guitar
from neuralpedal.contract.atomic import make_folder
from neuralpedal.contract.audio import write_recording

SAMPLE_RATE_HZ = 48_000
_TRAIN_SEED, _TEST_SEED = 1, 2


@dataclass(frozen=True)
class Takes:
    """Paths of the four tracks."""

    dry: Path
    wet: Path
    dry_test: Path
    wet_test: Path


def write_takes(folder: Path, train_seconds: float, test_seconds: float) -> Takes:
    """Play, overdrive and write both takes as 32-bit float WAV.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    takes = Takes(*(folder / f"{name}.wav" for name in ("dry", "wet", "dry_test", "wet_test")))
    pedal = Overdrive()
    for dry_path, wet_path, seconds, seed in ((takes.dry, takes.wet, train_seconds, _TRAIN_SEED),
                                              (takes.dry_test, takes.wet_test, test_seconds, _TEST_SEED)):
        dry = synthesize_guitar(seconds, SAMPLE_RATE_HZ, seed)
        write_recording(dry_path, dry, SAMPLE_RATE_HZ)
        write_recording(wet_path, pedal.process(dry, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    return takes
