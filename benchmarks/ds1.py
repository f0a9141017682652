"""A real pedal, and a noisy one: a Boss DS-1 of 21 seconds, trained on its first 16 and judged on its last 5.

The recording is polarity-inverted, leads by 9 samples and has a noise floor that bounds what any network can reach:
`inspect` estimates that bound, and the table puts the network's ESR beside it.

    python benchmarks/ds1.py --minutes 10 --out DIR
"""

from pathlib import Path

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.pair import read_pair
from sd1 import DATA, neuralpedal, read_options

TRAIN_SECONDS, TEST_SECONDS = 16, 5


def cut(folder: Path, data: Path) -> tuple[Path, Path]:
    """Write the first seconds of both tracks, as they were recorded."""
    pair = read_pair(data / "dry.flac", data / "wet.flac")
    end = TRAIN_SECONDS * pair.sample_rate_hz
    paths = folder / "dry_train.wav", folder / "wet_train.wav"
    for path, track in zip(paths, (pair.dry, pair.wet), strict=True):
        write_recording(path, track.samples[:end], pair.sample_rate_hz)
    return paths


def cut_test(folder: Path, data: Path, aligned: Alignment) -> tuple[Path, Path]:
    """Write the last seconds, the wet track corrected as it was for training."""
    pair = aligned.apply(read_pair(data / "dry.flac", data / "wet.flac"))
    begin = len(pair.dry.samples) - TEST_SECONDS * pair.sample_rate_hz
    paths = folder / "dry_test.wav", folder / "wet_test.wav"
    for path, track in zip(paths, (pair.dry, pair.wet), strict=True):
        write_recording(path, track.samples[begin:], pair.sample_rate_hz)
    return paths


def main() -> None:
    """Entry point."""
    options, data = read_options(__doc__, minutes=10.0), DATA / "ds1"
    options.out.mkdir(parents=True, exist_ok=True)
    inspection = neuralpedal("inspect", data / "dry.flac", data / "wet.flac")
    run = options.out / f"ds1-{options.hidden}"
    training = neuralpedal("train", *cut(options.out, data), "--out", run, "--hidden", options.hidden, "--minutes",
                           options.minutes, "--seed", options.seed, "--overwrite")
    aligned = Alignment.model_validate(training["data"]["aligned"])
    figures = neuralpedal("evaluate", run, *cut_test(options.out, data, aligned), "--no-probes")
    print(f"lstm 1×{options.hidden}, {options.minutes:g} minutes; corrected: {aligned.latency_samples:g} samples, "
          f"{'inverted' if aligned.inverted else 'polarity kept'}")
    print(f"validation ESR {training['esr_validation']:.5f}, test ESR {figures['esr']:.5f}, "
          f"with pre-emphasis {figures['esr_pre_emphasis']:.5f}; "
          f"inspect's noise-floor bound {inspection['esr_bound']:.5f}")


if __name__ == "__main__":
    main()
