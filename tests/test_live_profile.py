"""Block sizes on a card: what is counted, what is recommended, and that nothing is heard meanwhile."""

import json
from pathlib import Path

import numpy as np
import pytest

from jack_rig import JackServer
from loop_card import LoopCard, plug_in
from neuralpedal.device.live_profile import LiveProbe, LiveTimes, recommended_block_size
from neuralpedal.device.profile import BlockTimes
from toy_engines import ToyEngine

MODEL = Path(__file__).parent / "golden" / "lstm-1x4-skip.w8.tflite"


def measured(size: int, share: float = 0.2, late: int = 0, xruns: int = 0, faults: int = 0) -> LiveTimes:
    deadline_us = 1e6 * size / 48_000
    us = np.full(1000, share * deadline_us)
    us[:late] = 1.1 * deadline_us
    return LiveTimes(BlockTimes(us, size, 48_000), xruns, faults)


@pytest.mark.parametrize(("sizes", "wanted"), [
    ([measured(16), measured(32), measured(64)], 16),
    ([measured(16, xruns=1), measured(32), measured(64)], 32),
    ([measured(16, share=0.51), measured(32, late=1), measured(64, share=0.5)], 64),
    # A lucky small size below one that was not safe.
    ([measured(16), measured(32, faults=1), measured(64)], 64),
    ([measured(64, xruns=1), measured(16)], None), ([], None),
])
def test_the_smallest_safe_size_of_which_all_larger_ones_are_safe_is_recommended(sizes, wanted):
    assert recommended_block_size(sizes) == wanted


def test_a_probe_plays_noise_to_the_engine_and_silence_to_the_card_and_counts_behind_its_warm_up():
    engine = ToyEngine(64)
    probe = LiveProbe(engine, 1.0)
    played, calls = np.ones(64, np.float32), 0
    while not probe.is_over:
        probe.process(np.zeros(64, np.float32), played, 4 if calls in (0, 200, 300) else 0)
        assert not played.any()
        calls += 1
    assert calls == 150 + 750 == engine.blocks and probe.share == 1.0
    probe.process(np.zeros(64, np.float32), played, 4)
    found = probe.times()
    assert (found.xruns, found.faults, len(found.times.us_per_block)) == (2, 0, 750)
    assert np.all(found.times.us_per_block > 0.0)
    engine.answer = np.nan
    broken = LiveProbe(engine, 0.1)
    while not broken.is_over:
        broken.process(np.zeros(64, np.float32), played, 0)
    assert broken.times().faults > 0 and not broken.times().is_safe


def test_sizes_models_histograms_and_the_recommendation_are_said_as_json_table_and_picture(cli, monkeypatch, tmp_path):
    card = plug_in(monkeypatch, LoopCard(lambda played: 0.0 * played))
    png = tmp_path / "blocks.png"
    code, out, err = cli("profile", "--live", MODEL, MODEL, "--engine", "litert", "--blocks", "64,32", "--seconds",
                         "0.3", "--json", "--png", png)
    assert code == 0, err
    found = json.loads(out)
    assert card.opened == 4 and png.read_bytes().startswith(b"\x89PNG") and "smallest safe" in found["rule"]
    for model in found["models"]:
        assert [size["block_size"] for size in model["sizes"]] == [32, 64]
        for size in model["sizes"]:
            assert sum(size["histogram"]["counts"]) == size["blocks"] == round(0.3 * 48_000 / size["block_size"])
            assert size["us_per_block_p50"] <= size["us_per_block_p99"] <= size["us_per_block_max"]
    # A card that loses blocks is never safe, however fast the engine is.
    plug_in(monkeypatch, LoopCard(lambda played: 0.0 * played, xruns=lambda block: block % 10 == 0))
    code, out, _ = cli("profile", "--live", MODEL, "--engine", "litert", "--blocks", "64", "--seconds", "0.3")
    assert code == 0 and "No block size measured is safe" in out and "xruns" in out and "│" in out


@pytest.mark.parametrize(("arguments", "words"), [
    (("--live", MODEL, "--blocks", "8,64"), "--blocks"), (("--live", MODEL, "--blocks", "many"), "--blocks"),
    ((MODEL, MODEL), "wanted one, or --live"), (("--live",), "MODEL"),
])
def test_wrong_usage_is_said(cli, arguments, words):
    code, out, err = cli("profile", *arguments)
    assert (code, out) == (2, "") and words in err


def test_on_a_jack_server_every_size_is_measured(jack_server: JackServer, cli):
    code, out, err = cli("profile", "--live", MODEL, "--engine", "litert", "--blocks", "64,256", "--seconds", "0.5",
                         "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["card"] == "system (JACK Audio Connection Kit)"
    assert len(found["realtime"]) == 1 and "real-time priority" in found["realtime"][0]
    sizes = found["models"][0]["sizes"]
    assert [size["blocks"] for size in sizes] == [375, 94] and all(size["faults"] == 0 for size in sizes)
