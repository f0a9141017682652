"""``neuralpedal latency``: on a card of the test's own, and through a JACK server whose periods are known."""

import json
import subprocess
import sys

import pytest

from jack_rig import connect_loop, running_server
from loop_card import Cable, LoopCard, plug_in
from neuralpedal.cli.card_recorder import open_card
from neuralpedal.device.round_trip import RoundTripProbe


def test_a_fractional_delay_comes_out_as_samples_and_milliseconds_with_what_the_block_is_of_it(cli, monkeypatch):
    plug_in(monkeypatch, LoopCard(Cable(200.37, gain=-0.5, noise_rms=1e-4)))
    code, out, err = cli("latency", "--json", "--rounds", "3", "--block", "32")
    assert code == 0, err
    found = json.loads(out)
    assert found["latency_samples"] == pytest.approx(232.37, abs=2e-3)  # the card hears a block later
    assert found["latency_ms"] == pytest.approx(232.37 / 48.0, abs=1e-4)
    assert found["block_ms"] == pytest.approx(32 / 48.0, abs=1e-4)
    assert found["rest_ms"] == pytest.approx(200.37 / 48.0, abs=2e-4)
    assert found["driver_says_ms"] == 2.5 and found["inverted"] and found["rounds"] == 3
    assert found["gain_db"] == pytest.approx(-6.02, abs=0.02) and found["snr_db"] == pytest.approx(59.0, abs=1.0)
    assert found["spread_samples"] < 0.01 and found["rounds_with_xruns"] == 0
    code, out, err = cli("latency", "--rounds", "1")
    assert code == 0 and "round trip" in out and "polarity inverted" in out


def test_rounds_that_lost_blocks_are_played_again_and_a_card_that_loses_all_is_an_error(cli, monkeypatch):
    cable, sounding = Cable(100.0), [0]

    def counted(played):
        sounding[0] += bool(played.any())
        return cable(played)

    plug_in(monkeypatch, LoopCard(counted, xruns=lambda _: sounding[0] == 50))
    found = json.loads(cli("latency", "--json", "--rounds", "2")[1])
    assert (found["rounds"], found["rounds_with_xruns"]) == (2, 1)
    plug_in(monkeypatch, LoopCard(Cable(100.0), xruns=lambda block: block % 100 == 0, rest_s=0.0))
    code, out, err = cli("latency", "--rounds", "1")
    assert (code, out) == (1, "") and "lost blocks (xruns): choose larger blocks than --block 64" in err


@pytest.mark.parametrize(("cable", "words"), [
    (Cable(100.0, gain=0.0, noise_rms=1e-4), "nothing comes back"), (Cable(100.0, gain=8.0), "clipped"),
    (Cable(100.0, echo_samples=960, echo=0.9), "comes back twice"),
])
def test_what_is_no_latency_is_said_and_nothing_printed(cli, monkeypatch, cable, words):
    plug_in(monkeypatch, LoopCard(cable))
    code, out, err = cli("latency", "--json", "--wait", "0")
    assert (code, out) == (1, "") and words in err


def test_a_cable_may_be_plugged_in_while_it_waits(cli, monkeypatch):
    cable, card = Cable(100.0), None

    def plugged_later(played):
        return cable(played if card and card.blocks > 1500 else 0.0 * played)

    card = plug_in(monkeypatch, LoopCard(plugged_later))
    code, out, err = cli("latency", "--json", "--rounds", "1", "--wait", "60")
    assert code == 0 and "nothing comes back" in err and json.loads(out)["latency_samples"] == pytest.approx(164.0)


@pytest.mark.parametrize(("period", "block"), [(64, 64), (64, 16), (128, 256), (256, 64), (1024, 1024)])
def test_through_jack_it_is_a_period_and_a_block_exactly(tmp_path, monkeypatch, period, block):
    with (running_server(tmp_path, monkeypatch, period=period) as server,
          open_card(None, 1, block, None) as recorder, connect_loop(server) as loop):
        probe = RoundTripProbe(recorder.form.sample_rate_hz)
        with loop.freewheel():
            trips = [probe.read(recorder.record(probe.track).record) for _ in range(2)]
    for trip in trips:
        assert trip.samples == pytest.approx(period + block, abs=1e-3)
        assert trip.gain_db == pytest.approx(0.0, abs=0.01) and not trip.inverted


def test_the_command_measures_a_jack_loop_that_is_connected_while_it_waits(tmp_path, monkeypatch):
    with running_server(tmp_path, monkeypatch, period=1024) as server:
        command = [sys.executable, "-m", "neuralpedal.cli.main", "latency", "--json", "--block", "1024", "--rounds",
                   "2", "--wait", "60"]
        process = subprocess.Popen(command, env=server.environment, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with connect_loop(server):
            out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found = json.loads(out)
    assert found["latency_samples"] == pytest.approx(2048.0, abs=1e-3)
    assert found["driver_says_ms"] == pytest.approx(2048 / 48.0, abs=0.01)
    assert found["card"] == "system (JACK Audio Connection Kit)"
