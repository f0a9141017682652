"""``neuralpedal record``: on a card of the test's own, and through a JACK server with a pedal between its ports."""

import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import lfilter

from jack_rig import PERIOD, JackServer, connect_loop
from loop_card import Cable, LoopCard, plug_in
from neuralpedal.cli.recording import level_check, take
from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.pair import read_pair
from neuralpedal.device.tape import Tape
from neuralpedal.train.inspection.correction import find_alignment

SHORT = ("--seconds", "30", "--yes")


class Overdrive:
    """Asymmetric clipping and a one-pole low-pass, block by block."""

    def __init__(self, level: float = 0.6) -> None:
        self._level, self._state = level, np.zeros(1)

    def __call__(self, dry: np.ndarray) -> np.ndarray:
        clipped = np.tanh(4.0 * dry.astype(np.float64) + 0.2) - np.tanh(0.2)
        wet, self._state = lfilter([0.4], [1.0, -0.6], clipped, zi=self._state)
        return (self._level * wet).astype(np.float32)


def test_a_pedals_pair_is_written_in_step_with_what_a_model_can_reach(cli, monkeypatch, tmp_path):
    noise_rms = 2e-3
    plug_in(monkeypatch, LoopCard(Cable(333.0, noise_rms=noise_rms, pedal=Overdrive())))
    out = tmp_path / "pair"
    code, said, err = cli("record", "--out", out, *SHORT, "--json")
    assert code == 0, err
    found = json.loads(said)
    assert sorted(path.name for path in out.iterdir()) == ["dry.wav", "record.json", "wet.wav"]
    assert json.loads((out / "record.json").read_text()).items() >= found.items()
    assert found["latency_of_clicks_samples"] == 1024 + 333 and abs(found["moved_after_inspect"]) <= 1
    pair = read_pair(out / "dry.wav", out / "wet.wav")
    assert find_alignment(pair).is_identity and pair.digests().items() <= json.loads(
        (out / "record.json").read_text()).items()
    # A model that plays all but the noise.
    passage = next(section for section in found["sections"] if section["name"] == "repeated")
    heard = slice(round((passage["start_s"] + 0.25) * 48_000), round(passage["stop_s"] * 48_000))
    energy = np.mean(pair.wet.samples[heard].astype(np.float64) ** 2) - noise_rms**2
    assert found["repeatability_esr_bound"] == pytest.approx(noise_rms**2 / energy, rel=0.06)
    assert found["noise_floor_db"] == pytest.approx(20 * np.log10(noise_rms), abs=0.5)
    assert found["noise_esr_bound"] == pytest.approx(
        noise_rms**2 / np.mean(pair.wet.samples.astype(np.float64) ** 2), rel=0.1)
    told = json.loads(cli("inspect", out / "dry.wav", out / "wet.wav", "--json")[1])
    assert told["repeatability_esr"] == pytest.approx(found["repeatability_esr_bound"], rel=0.02)
    assert told["repeatability_s"] == pytest.approx(passage["stop_s"] - passage["start_s"] - 0.25, abs=0.01)
    assert found["esr_bound"] == max(found["noise_esr_bound"], found["repeatability_esr_bound"])
    assert "short_take" in [problem["code"] for problem in found["problems"]]
    assert not any(".part" in problem["message"] for problem in found["problems"])


def test_a_take_that_lost_blocks_is_given_up_and_begun_again_and_after_all_tries_nothing_is_written(
        cli, monkeypatch, tmp_path):
    overdrive, sounding = Overdrive(), [0]

    def counted(dry):
        sounding[0] += bool(dry.any())
        return overdrive(dry)

    card = plug_in(monkeypatch, LoopCard(Cable(1200.0, pedal=counted), xruns=lambda _: sounding[0] == 400))
    code, _, err = cli("record", "--out", tmp_path / "pair", *SHORT)
    assert code == 0 and "blocks were lost (xrun) after" in err and "take 1 of 3 is given up" in err
    assert json.loads((tmp_path / "pair" / "record.json").read_text())["spoilt_takes"] == 1
    assert not card.is_open
    plug_in(monkeypatch, LoopCard(Cable(1200.0), xruns=lambda block: block % 300 == 0))
    code, out, err = cli("record", "--out", tmp_path / "other", *SHORT, "--tries", "2")
    assert (code, out) == (1, "") and "lost in each of 2 takes: choose larger blocks than --block 1024" in err
    assert [path.name for path in tmp_path.iterdir()] == ["pair"]


@pytest.mark.parametrize(("cable", "words"), [
    (Cable(1200.0, gain=2.0), "the take is clipped"), (Cable(1200.0, gain=0.0), "nothing comes back"),
])
def test_a_take_that_cannot_be_used_is_not_written(cli, monkeypatch, tmp_path, cable, words):
    if words.startswith("the take"):
        cable = Cable(1200.0, pedal=lambda block: np.clip(2.0 * block, -1.0, 1.0))
    plug_in(monkeypatch, LoopCard(cable))
    code, out, err = cli("record", "--out", tmp_path / "pair", *SHORT)
    assert (code, out) == (1, "") and words in err and list(tmp_path.iterdir()) == []


def test_the_level_is_asked_for_until_it_is_right_twice(cli, monkeypatch, tmp_path):
    gains = [0.0, 0.05, 1.3, 0.4]

    def turned(played):
        # Whoever turns the knob does so whenever the loudest part has sounded some time.
        turned.heard += float(np.max(np.abs(played))) > 0.5
        return min(gains[min(turned.heard // 60, 3)], 1.3) * played

    turned.heard = 0
    plug_in(monkeypatch, LoopCard(turned))
    code, out, err = cli("record", "--seconds", "30", "--level-check-only")
    assert (code, out) == (0, ""), err
    for words in ("nothing comes back", "turn up by", "turn down by", "level set: peak -1"):
        assert words in err, err
    assert list(tmp_path.iterdir()) == []
    plug_in(monkeypatch, LoopCard(Cable(1200.0, gain=0.01)))
    code, _, err = cli("record", "--out", tmp_path / "pair", "--seconds", "30", "--level-patience", "0.5")
    assert code == 1 and "the level was not right within 0.5 s" in err and "turn up by" in err


def test_the_meter_shows_what_came_back_last_and_what_to_turn(monkeypatch):
    shown = []
    monkeypatch.setattr(level_check, "stderr", SimpleNamespace(is_terminal=True))
    tape = Tape(np.zeros(9600, np.float32), 4800)
    show = level_check._meter(SimpleNamespace(update=lambda text, refresh: shown.append(str(text))), "turn up by 9 dB")
    assert show(tape)
    for heard in (0.5, 0.125):
        tape.process(np.full(4800, heard, np.float32), np.empty(4800, np.float32), 0)
        assert show(tape)
    assert [text.split("█")[-1].split("dBFS")[0].strip("▏▎▍▌▋▊▉ ") for text in shown] == ["-120.0", "-6.0", "-18.1"]
    assert all(text.endswith("turn up by 9 dB") for text in shown)


@pytest.mark.parametrize("arguments", [(), ("--out", "pair", "--level-check-only")])
def test_a_folder_or_the_level_alone_is_wanted(cli, arguments):
    code, out, err = cli("record", *arguments)
    assert (code, out) == (2, "") and "wanted one of --out FOLDER and --level-check-only" in err


def test_ctrl_c_leaves_nothing_behind(cli, monkeypatch, tmp_path):
    card = LoopCard(Cable(1200.0, pedal=Overdrive()),
                    xruns=lambda block: block == 300 and bool(os.kill(os.getpid(), signal.SIGINT)))
    plug_in(monkeypatch, card)
    code, out, err = cli("record", "--out", tmp_path / "pair", *SHORT)
    assert (code, out) == (130, "") and "interrupted" in err
    assert list(tmp_path.iterdir()) == [] and not card.is_open


def test_a_folder_that_is_in_use_and_a_missing_scipy_are_said_before_anything_is_played(cli, monkeypatch, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = cli("record", "--out", tmp_path, *SHORT)
    assert code == 1 and "not an empty folder; choose another --out" in err
    monkeypatch.setattr("neuralpedal.cli.record_command.find_spec", lambda name: None)
    code, _, err = cli("record", "--out", tmp_path / "pair", *SHORT)
    assert code == 1 and "pip install 'neuralpedal[record]'" in err


def test_through_jack_a_pedal_is_recorded_at_a_period_and_a_block_and_inspect_finds_nothing_to_move(
        jack_server: JackServer, cli, monkeypatch, tmp_path):
    record_take = take.record_take

    def in_freewheel(*arguments):
        # The pedal is plugged in before the take and out behind it: no client may leave while JACK freewheels.
        with connect_loop(jack_server, Overdrive(0.5)) as loop, loop.freewheel():
            return record_take(*arguments)

    monkeypatch.setattr(take, "record_take", in_freewheel)
    code, out, err = cli("record", "--out", tmp_path / "pair", *SHORT, "--json", "--block", "256")
    assert code == 0, err
    found = json.loads(out)
    assert found["latency_of_clicks_samples"] == PERIOD + 256 and abs(found["moved_after_inspect"]) <= 1
    assert found["repeatability_esr_bound"] < 1e-9
    assert read_recording(tmp_path / "pair" / "wet.wav").seconds == pytest.approx(30.0, abs=0.001)
