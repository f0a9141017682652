"""``evaluate`` on committed models: every figure that it documents, for machines and for people."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.console import bar
from neuralpedal.cli.evaluation_table import level_bars
from neuralpedal.cli.model_source import open_model
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.esr_profiles import esr_over_level, esr_over_time
from neuralpedal.contract.metrics import all_metrics
from neuralpedal.contract.probes import aliasing_figures, probe_all_aliasing, probe_silence, silence_figures
from neuralpedal.contract.spectral_metrics import all_spectral_metrics
from signals import RATE_HZ, plucks, soft_clip

Cli = Callable[..., tuple[int, str, str]]

GOLDEN = Path(__file__).parent / "golden"
FLOAT32, INT8 = GOLDEN / "lstm-1x4-skip.float32.tflite", GOLDEN / "lstm-1x4-skip.w8a8.tflite"


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A second and a half of playing."""
    folder = tmp_path_factory.mktemp("take")
    dry = plucks(1.5, seed=3)
    write_recording(folder / "dry.wav", dry, RATE_HZ)
    write_recording(folder / "wet.wav", soft_clip(dry), RATE_HZ)
    return folder / "dry.wav", folder / "wet.wav"


def _quiet(_: float) -> None:
    pass


@pytest.mark.parametrize("model", [FLOAT32, INT8], ids=["float32", "w8a8"])
def test_json_holds_every_figure_of_the_contract_as_it_was_computed(model: Path, take: tuple[Path, Path],
                                                                    cli: Cli) -> None:
    code, out, _ = cli("evaluate", model, *take, "--json")
    found = json.loads(out)
    opened = open_model(model, "auto", 64)
    dry, wet = (read_recording(path).samples for path in take)
    played = opened.play(dry, _quiet)

    def play(samples: np.ndarray) -> np.ndarray:
        return opened.play(samples.astype(np.float32), _quiet)

    wanted = {
        **all_metrics(wet, played), **all_spectral_metrics(wet, played, RATE_HZ),
        **aliasing_figures(probe_all_aliasing(play, RATE_HZ)), **silence_figures(probe_silence(play, RATE_HZ)),
        "esr_over_time": esr_over_time(wet, played, RATE_HZ),
        "esr_over_level": esr_over_level(dry, wet, played, RATE_HZ),
        "seconds": 1.5, "sample_rate_hz": RATE_HZ, "model": str(model), "played_by": opened.description, "png": None,
    }
    assert code == 0 and found == wanted


def test_int8_audio_shows_in_silence_bands_and_probes(take: tuple[Path, Path], cli: Cli) -> None:
    exact, rounded = (json.loads(cli("evaluate", model, *take, "--json")[1]) for model in (FLOAT32, INT8))
    name = "aliasing_db_1250_hz_minus_20_dbfs"
    assert exact[name] < -70 and rounded[name] > exact[name] + 20
    assert rounded["esr_12_24_khz"] > 10 * exact["esr_12_24_khz"]


def test_the_documentation_names_every_key_and_only_tests_that_exist(take: tuple[Path, Path], cli: Cli) -> None:
    page = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    keys = json.loads(cli("evaluate", FLOAT32, *take, "--json")[1])
    named = {*re.findall(r"`(\w+)`", page)}
    undocumented = {key for key in keys if key not in named and not key.startswith("aliasing_db_")}
    assert undocumented == {"sample_rate_hz", "model", "played_by", "png"}
    existing = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    tests = {name for name in named if name.startswith("test_")}
    assert len(tests) > 15 and all(f"def {name}(" in existing for name in tests)


@pytest.mark.parametrize("model", [FLOAT32, INT8], ids=["float32", "w8a8"])
@pytest.mark.parametrize("engine", ["litert", "reference"])
def test_a_model_plays_from_zero_state_every_time(model: Path, engine: str) -> None:
    opened = open_model(model, engine, 64)
    dry = plucks(0.1)
    first = opened.play(dry, _quiet)
    np.testing.assert_array_equal(opened.play(dry, _quiet), first)
    np.testing.assert_array_equal(open_model(model, engine, 64).play(dry, _quiet), first)


@pytest.mark.parametrize("options", [["--no-probes"], ["--engine", "reference"]], ids=["asked", "reference"])
def test_probes_are_left_out_when_asked_to_and_with_the_slow_reference(
    options: list[str], take: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    short = [tmp_path / path.name for path in take]
    for path, copy in zip(take, short, strict=True):
        write_recording(copy, read_recording(path).samples[: RATE_HZ // 4], RATE_HZ)
    code, out, _ = cli("evaluate", FLOAT32, *short, *options, "--json")
    figures = json.loads(out)
    assert code == 0 and "mr_stft" in figures and "esr_over_level" in figures
    assert not any("aliasing" in name or "noise" in name or "silence" in name for name in figures)


def test_people_get_groups_a_grid_and_bars(take: tuple[Path, Path], cli: Cli) -> None:
    code, out, _ = cli("evaluate", FLOAT32, *take)
    assert code == 0
    for words in ("time domain", "spectral", "silence", "esr_0_2_khz", "noise_floor_dbfs", "aliasing-to-signal ratio",
                  "5000 Hz", "-10 dBFS", "ESR over input level", "█", "worst half second"):
        assert words in out


def test_the_picture_appears_whole_and_is_named(take: tuple[Path, Path], tmp_path: Path, cli: Cli) -> None:
    for options in ([], ["--no-probes"]):
        target = tmp_path / f"figures{len(options)}.png"
        code, out, err = cli("evaluate", FLOAT32, *take, "--png", target, "--json", *options)
        assert code == 0 and json.loads(out)["png"] == str(target) and f"wrote {target}" in " ".join(err.split("\n"))
        assert target.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures0.png", "figures1.png"]


def test_a_picture_that_cannot_be_written_is_one_line(take: tuple[Path, Path], tmp_path: Path, cli: Cli) -> None:
    code, out, err = cli("evaluate", FLOAT32, *take, "--no-probes", "--png", tmp_path / "no" / "folder.png", "--json")
    assert code == 1 and out == "" and "folder.png: cannot be written" in err and "Traceback" not in err


@pytest.mark.parametrize(("esr", "blocks"), [(1.0, 32), (7.0, 32), (0.01, 16), (1e-4, 0), (0.0, 0)])
def test_a_level_bar_is_logarithmic_from_0_0001_to_1(esr: float, blocks: int) -> None:
    (line,) = level_bars([{"from_dbfs": -12.0, "to_dbfs": -6.0, "seconds": 2.0, "esr": esr},
                          {"from_dbfs": -6.0, "to_dbfs": 0.0, "seconds": 0.0, "esr": None}])
    assert line.count("█") == blocks and line.startswith(" -12 …  -6 dBFS │") and line.endswith("2.0 s")


@pytest.mark.parametrize(("share", "drawn"), [(0.0, "    "), (1.0, "████"), (2.0, "████"), (-1.0, "    "),
                                              (0.5, "██  "), (0.28, "█▏  ")])
def test_a_bar_has_its_width_and_resolves_eighths(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn
