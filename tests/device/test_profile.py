"""Block times: figures that follow from known times, and what ``neuralpedal profile`` prints and draws."""

import json
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neuralpedal.cli.histogram import bins, terminal_histogram
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.device import profile as profile_module
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.profile import BlockTimes, ProfileSummary, profile, time_blocks

pytestmark = pytest.mark.device

MODEL = Path(__file__).parents[1] / "golden" / "lstm-1x4-skip.w8.tflite"
PROFILE_KEYS = {
    "blocks", "block_size", "sample_rate_hz", "deadline_us", "us_per_block_p50", "us_per_block_p95",
    "us_per_block_p99", "us_per_block_max", "us_per_sample_p50", "budget_used_p50", "budget_used_p99", "blocks_late",
    "real_time_factor",
}


class SlowEngine(Engine):
    """Takes the given microseconds for one block after the other, on a clock of its own or by sleeping."""

    description = "slow"

    def __init__(self, us_per_block: Sequence[float], block_size: int = 48, sleeps: bool = False) -> None:
        self.manifest = Manifest(name="slow", scheme="float32", network=NetworkSpec(sample_rate_hz=48_000))
        self.block_size = block_size
        self.now_ns = 0
        self.played: list[np.ndarray] = []
        self._times, self._sleeps, self._warm = list(us_per_block), sleeps, False

    def prewarm(self, seconds: float = 0.5) -> None:
        self._warm = True

    def process(self, dry: Block, wet: Block) -> None:
        assert self._warm
        assert dry.shape == wet.shape == (self.block_size,)
        duration_us = self._times[len(self.played) % len(self._times)]
        self.played.append(dry.copy())
        self.now_ns += round(1000 * duration_us)
        if self._sleeps:
            time.sleep(duration_us * 1e-6)

    def reset(self) -> None:
        self.played.clear()


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Time an engine on the engine's own clock: every figure is known beforehand."""
    def run(engine: SlowEngine, blocks: int) -> BlockTimes:
        monkeypatch.setattr(profile_module, "time", SimpleNamespace(perf_counter_ns=lambda: engine.now_ns))
        return time_blocks(engine, np.zeros((2, engine.block_size), np.float32), blocks)

    return run


def test_each_block_gets_its_own_time(timed):
    times = timed(SlowEngine([10.0, 20.5, 3.25]), 6)
    np.testing.assert_array_equal(times.us_per_block, [10.0, 20.5, 3.25, 10.0, 20.5, 3.25])


def test_the_summary_of_known_times_is_known(timed):
    # 48 samples at 48 kHz last 1000 µs.
    summary = timed(SlowEngine([float(value) for value in range(1, 101)]), 100).summary()
    assert (summary.blocks, summary.block_size, summary.sample_rate_hz) == (100, 48, 48_000)
    assert summary.deadline_us == 1000.0
    assert summary.us_per_block_p50 == pytest.approx(50.5)
    assert summary.us_per_block_p95 == pytest.approx(95.05)
    assert summary.us_per_block_p99 == pytest.approx(99.01)
    assert summary.us_per_block_max == 100.0
    assert summary.us_per_sample_p50 == pytest.approx(50.5 / 48)
    assert summary.budget_used_p50 == pytest.approx(0.0505)
    assert summary.budget_used_p99 == pytest.approx(0.09901)
    assert summary.real_time_factor == pytest.approx(0.0505)
    assert summary.blocks_late == 0


def test_late_blocks_are_those_that_took_longer_than_they_last(timed):
    summary = timed(SlowEngine([100.0, 1000.0, 1000.1, 5000.0]), 40).summary()
    assert summary.blocks_late == 20
    assert summary.real_time_factor == pytest.approx((100.0 + 1000.0 + 1000.1 + 5000.0) / 4 / 1000)


def test_an_engine_that_sleeps_past_its_deadline_is_late_every_time():
    engine = SlowEngine([3000.0], sleeps=True)
    summary = profile(engine, 0.02).summary()
    assert summary.blocks == len(engine.played) == 20
    assert summary.blocks_late == 20
    assert summary.us_per_block_p50 >= 3000.0
    assert summary.real_time_factor >= 3.0


@pytest.mark.parametrize(("block_size", "rate_hz", "deadline_us"), [(64, 48_000, 1333.333), (1, 44_100, 22.6757),
                                                                   (1024, 96_000, 10_666.667)])
def test_the_deadline_is_how_long_a_block_sounds(block_size, rate_hz, deadline_us):
    assert BlockTimes(np.ones(3), block_size, rate_hz).deadline_us == pytest.approx(deadline_us, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_ordered(seed):
    summary = BlockTimes(np.random.default_rng(seed).lognormal(3.0, 2.0, 500), 64, 48_000).summary()
    assert (summary.us_per_block_p50 <= summary.us_per_block_p95 <= summary.us_per_block_p99
            <= summary.us_per_block_max)
    assert summary.budget_used_p50 == summary.us_per_block_p50 / summary.deadline_us
    assert summary.budget_used_p99 == summary.us_per_block_p99 / summary.deadline_us


@pytest.mark.parametrize(("seconds", "blocks"), [(0.001, 16), (0.05, 50), (0.1234, 123)])
def test_a_profile_plays_as_much_audio_as_asked_but_at_least_16_blocks(seconds, blocks):
    engine = SlowEngine([1.0])
    assert len(profile(engine, seconds).us_per_block) == len(engine.played) == blocks


def test_a_profile_plays_noise_at_minus_20_dbfs_that_its_seed_decides():
    first, again, other = (SlowEngine([1.0]) for _ in range(3))
    profile(first, 1.0, seed=1)
    profile(again, 1.0, seed=1)
    profile(other, 1.0, seed=2)
    np.testing.assert_array_equal(first.played, again.played)
    assert not np.array_equal(first.played, other.played)
    assert np.sqrt(np.mean(np.square(first.played))) == pytest.approx(0.1, rel=0.02)
    assert len(np.unique(np.array(first.played), axis=0)) == len(first.played)


def test_progress_ends_at_1():
    told: list[float] = []
    profile(SlowEngine([1.0], block_size=1), 0.05, told.append)
    assert told == [0.0, 1024 / 2400, 2048 / 2400, 1.0]


def test_every_block_falls_into_one_bin_of_the_histogram():
    times = BlockTimes(np.concatenate([np.full(990, 10.0), np.full(10, 500.0)]), 64, 48_000)
    counts, edges = bins(times, 12)
    assert (len(counts), len(edges)) == (12, 13)
    assert np.sum(counts) == 1000
    assert (counts[0], counts[-1]) == (990, 10)


@pytest.mark.parametrize("us_per_block", [np.full(20, 7.0), np.zeros(16)])
def test_equal_times_still_have_a_histogram(us_per_block):
    lines = terminal_histogram(BlockTimes(us_per_block, 64, 48_000)).splitlines()
    assert len(lines) == 12
    assert sum(int(line.rsplit(maxsplit=1)[1]) for line in lines) == len(us_per_block)


def test_profile_prints_the_documented_keys_as_json(cli):
    code, out, _ = cli("profile", MODEL, "--seconds", "0.2", "--block", "32", "--engine", "litert", "--json")
    answer = json.loads(out)
    assert code == 0
    assert set(answer) == PROFILE_KEYS | {"model", "engine", "png"}
    assert {field.name for field in fields(ProfileSummary)} == PROFILE_KEYS
    assert (answer["blocks"], answer["block_size"], answer["sample_rate_hz"]) == (300, 32, 48_000)
    assert answer["deadline_us"] == pytest.approx(666.667, abs=1e-3)
    assert 0 < answer["us_per_block_p50"] <= answer["us_per_block_p95"] <= answer["us_per_block_p99"]
    assert answer["us_per_block_p99"] <= answer["us_per_block_max"]
    assert (answer["model"], answer["png"]) == (str(MODEL), None)
    assert answer["engine"].startswith("litert")


def test_profile_prints_a_table_and_a_histogram_for_people(cli):
    code, out, _ = cli("profile", MODEL, "--seconds", "0.1", "--engine", "reference")
    assert code == 0
    for words in ("75 blocks of 64", "budget 1333 µs", "µs per block p50", "p99", "late blocks: ", "real-time factor"):
        assert words in out
    assert out.count("│") >= 12


@pytest.mark.parametrize("seconds", ["0", "-1", "3601", "nan"])
def test_an_impossible_length_is_wrong_usage(cli, seconds):
    code, out, err = cli("profile", MODEL, "--seconds", seconds)
    assert (code, out) == (2, "")
    assert "--seconds" in err


def test_the_picture_is_a_whole_png(cli, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "times.png"
    code, out, _ = cli("profile", MODEL, "--seconds", "0.1", "--json", "--png", picture)
    assert code == 0
    assert json.loads(out)["png"] == str(picture)
    assert list(tmp_path.iterdir()) == [picture]
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    kinds, pixels, position = [], b"", 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        assert struct.unpack_from(">I", data, position + 8 + length)[0] == zlib.crc32(kind + body)
        kinds.append(kind)
        pixels += body if kind == b"IDAT" else b""
        position += 12 + length
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    width, height = struct.unpack_from(">II", data, 16)
    assert (width, height) == (960, 540)
    assert len(zlib.decompress(pixels)) == height * (1 + 4 * width)


def test_a_picture_that_cannot_be_written_is_exit_code_1(cli, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, err = cli("profile", MODEL, "--seconds", "0.05", "--png", tmp_path / "missing" / "times.png")
    assert code == 1
    assert "times.png: cannot be written" in err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_matplotlib_names_the_extra(cli, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = cli("profile", MODEL, "--seconds", "0.05", "--png", tmp_path / "times.png")
    assert code == 1
    assert "neuralpedal[plot]" in err
    assert list(tmp_path.iterdir()) == []
