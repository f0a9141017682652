"""A session from first to last block, on a card that is a thread of the test: every block of it is known."""

import io
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from jack_rig import JackServer
from neuralpedal.cli.live_log import LiveLog
from neuralpedal.cli.live_session import LiveSession
from neuralpedal.cli.live_view import view_table
from neuralpedal.contract.errors import AudioDeviceError, OutputError
from neuralpedal.device import audio_pulse
from neuralpedal.device.audio_device import AudioSystem, StreamFormat
from neuralpedal.device.block_meter import BlockMeter
from neuralpedal.device.pedal import Pedal
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.ramp import FADE_S
from neuralpedal.device.voice import Voice
from signals import RATE_HZ
from toy_engines import ToyEngine

FADE = round(FADE_S * RATE_HZ)
Step = tuple[int | Callable[[], bool], Callable[[], object]]


class ThreadCard:
    """Feeds a low tone to a pedal, a block now and then, and keeps what it answers.

    ``steps`` are done between blocks, one after the other: each after so many more blocks, or once its question is
    answered with yes. By the clock a busy machine would take them out of order.
    """

    latency_ms = 3.0

    def __init__(self, pedal: Pedal, steps: Sequence[Step] = ()) -> None:
        self.pedal, self.steps = pedal, list(steps)
        self.wet: list[np.ndarray] = []
        self.is_active = self.is_open = True
        self.switch_interval_s = 0.0
        self._thread = threading.Thread(target=self._play)

    def start(self) -> None:
        self.switch_interval_s = sys.getswitchinterval()
        self._thread.start()

    def close(self, _patience_s: float) -> None:
        self.is_open = False
        if self._thread.ident:
            self._thread.join()

    def _play(self) -> None:
        block, since, wet = 0, 0, np.empty(64, np.float32)
        while self.is_open:
            time_s = np.arange(block * 64, block * 64 + 64) / RATE_HZ
            self.pedal.process((0.3 * np.sin(2 * np.pi * 110.0 * time_s)).astype(np.float32), wet)
            self.wet.append(wet.copy())
            block += 1
            if self.steps:
                when, action = self.steps[0]
                if when() if callable(when) else block - since >= when:
                    del self.steps[0]
                    since = block
                    action()
            time.sleep(1e-4)


def _send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.fixture
def toy() -> ToyEngine:
    return ToyEngine()


@pytest.fixture
def board(toy) -> Pedalboard:
    return board_of(toy)


@pytest.fixture
def pedal(board) -> Pedal:
    return board.pedal


def board_of(*engines: ToyEngine) -> Pedalboard:
    """A preset for each engine."""
    voices = [Voice(engine, PresetSettings(name=f"preset {place}", model="toy"))
              for place, engine in enumerate(engines, 1)]
    return Pedalboard(voices, late_blocks=8)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, None])
def test_the_end_is_a_fade_to_silence_before_the_card_is_closed(board, pedal, number):
    card = ThreadCard(pedal, [(300, _send(number))] if number else ())
    session = LiveSession(board, card, None if number else 0.9)
    before = signal.getsignal(signal.SIGTERM), sys.getswitchinterval()
    session.play()
    assert (signal.getsignal(signal.SIGTERM), sys.getswitchinterval()) == before
    assert not card.is_open and card.switch_interval_s <= 1e-3
    wet = np.concatenate(card.wet)
    last = int(np.flatnonzero(wet)[-1])
    middle = wet[FADE : last - FADE - 64]
    assert len(middle) > 4 * FADE and last < len(wet) - 1
    assert np.max(np.abs(np.diff(wet))) <= 1.01 * np.max(np.abs(np.diff(middle)))
    assert session.summary().startswith("played ")


def test_a_card_that_is_gone_or_says_nothing_is_an_error_and_is_closed(board, pedal, monkeypatch):
    monkeypatch.setattr(audio_pulse, "GONE_S", 0.3)
    card = ThreadCard(pedal)
    card.is_active = False
    with pytest.raises(AudioDeviceError, match="no audio any more"):
        LiveSession(board, card).play()
    assert not card.is_open
    dumb = SimpleNamespace(start=lambda: None, is_active=True, latency_ms=1.0, close=lambda patience_s: None)
    with pytest.raises(AudioDeviceError, match="no audio any more"):
        LiveSession(board, dumb).play()


def test_an_overload_is_said_logged_and_recovered_from(board, toy, pedal, tmp_path, capfd, monkeypatch):
    """2 ms of work in blocks of 1.33 ms: the clean guitar plays until the engine is quick again."""
    monkeypatch.setattr("neuralpedal.device.overload_guard._FIRST_PAUSE_S", 1.8)
    toy.busy_s = 0.002
    logged = tmp_path / "log.jsonl"
    card = ThreadCard(pedal, [
        (60, lambda: setattr(toy, "busy_s", 0.0)),
        (lambda: pedal.guard.trusted, lambda: None),
        (lambda: '"playing"' in logged.read_text(), lambda: None),
        (200, _send(signal.SIGTERM)),
    ])
    with LiveLog(logged) as log:
        LiveSession(board, card, None, log).play()
    said = capfd.readouterr().err
    assert "the engine was late 8 times in a row; the clean guitar plays until it works again" in " ".join(said.split())
    states = [json.loads(line)["state"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert states[0] == "clean: overload" and states[-1] == "playing"
    wet = np.stack(card.wet)
    tone = 0.3 * np.sin(2 * np.pi * 110.0 * np.arange(wet.size) / RATE_HZ).reshape(wet.shape)
    clean = np.all(np.abs(wet - tone) < 1e-6, axis=1)
    effect = np.all(np.abs(wet + np.tanh(3.0 * tone)) < 1e-5, axis=1)
    assert clean.sum() > 100 and effect.sum() > 100
    assert not np.any(effect[: np.flatnonzero(clean)[0]]), "it had no time to be heard alone before"
    assert np.flatnonzero(effect)[0] > np.flatnonzero(clean)[-1]
    assert np.max(np.abs(np.diff(wet.reshape(-1)))) <= 0.0143 + 1.5 / round(0.005 * RATE_HZ)


def test_a_busy_engine_on_a_jack_server_is_taken_out_and_comes_back(jack_server: JackServer, board, pedal, toy):
    toy.busy_s = 0.002

    def mend_it_once_it_is_out_and_end_once_it_is_back() -> None:
        for true in (lambda: pedal.guard.overloads > 0, lambda: pedal.guard.trusted):
            end = time.monotonic() + 20.0
            while not true() and time.monotonic() < end:
                time.sleep(0.01)
            toy.busy_s = 0.0
        os.kill(os.getpid(), signal.SIGTERM)

    with AudioSystem() as audio:
        stream = audio.open(audio.choose(), StreamFormat(RATE_HZ, 64), pedal.process)
        session = LiveSession(board, stream)
        threading.Thread(target=mend_it_once_it_is_out_and_end_once_it_is_back).start()
        session.play()
    reading = pedal.meter.read()
    assert pedal.guard.overloads >= 1 and reading.late_blocks >= 8 and reading.faults == 0
    # On a busy machine it may be out once more, but then it was back in between.
    assert pedal.guard.trusted or pedal.guard.overloads > 1
    assert "overloads" in session.summary()


def test_sigusr1_plays_the_next_model_and_sigusr2_bypasses(toy, tmp_path):
    board = board_of(toy, ToyEngine(drive=2.0))
    pedal = board.pedal
    first = pedal.engine
    logged = tmp_path / "log.jsonl"
    card = ThreadCard(pedal, [
        (150, _send(signal.SIGUSR1)),
        (lambda: pedal.engine is not first and not pedal.is_changing, lambda: None),
        (150, _send(signal.SIGUSR2)),
        (lambda: '"bypassed"' in logged.read_text(), _send(signal.SIGUSR2)),
        (150, _send(signal.SIGUSR1)),
        (lambda: pedal.engine is first and not pedal.is_changing, lambda: None),
        (150, _send(signal.SIGTERM)),
    ])
    with LiveLog(logged) as log:
        LiveSession(board, card, None, log).play()
    rows = [json.loads(line) for line in logged.read_text().splitlines()]
    assert ("bypassed", "preset 2") in [(row["state"], row["preset"]) for row in rows]
    wet = np.stack(card.wet)
    tone = 0.3 * np.sin(2 * np.pi * 110.0 * np.arange(wet.size) / RATE_HZ).reshape(wet.shape)
    wanted = {"first": -np.tanh(3.0 * tone), "second": np.tanh(2.0 * tone), "clean": tone}
    heard = [name for block in range(len(wet)) for name, signal_ in wanted.items()
             if np.max(np.abs(wet[block] - signal_[block])) < 1e-5]
    order = [name for index, name in enumerate(heard) if index == 0 or heard[index - 1] != name]
    assert order == ["first", "second", "clean", "second", "first"]
    assert np.max(np.abs(np.diff(wet.reshape(-1)))) <= 1.01 * np.max(np.abs(np.diff(np.tanh(3.0 * tone).reshape(-1))))


def test_the_log_says_what_is_heard_when_the_pedal_is_muted_or_bypassed(board, pedal, tmp_path):
    logged = tmp_path / "log.jsonl"

    def is_last(state: str) -> Callable[[], bool]:
        return lambda: f'"state": "{state}"' in "".join(logged.read_text().splitlines()[-1:])

    card = ThreadCard(pedal, [
        (1, lambda: setattr(pedal, "muted", True)),
        (is_last("muted"), lambda: setattr(pedal, "bypassed", True)),
        (is_last("muted"), lambda: setattr(pedal, "muted", False)),
        (is_last("bypassed"), lambda: setattr(pedal, "bypassed", False)),
        (is_last("playing"), _send(signal.SIGTERM)),
    ])
    with LiveLog(logged) as log:
        LiveSession(board, card, None, log).play()
    states = [json.loads(line)["state"] for line in logged.read_text().splitlines()]
    assert [state for state, _ in itertools.groupby(states)][-3:] == ["muted", "bypassed", "playing"]


def test_a_log_that_cannot_be_opened_is_an_error_and_a_full_disk_ends_it_with_a_warning(tmp_path, capfd):
    with pytest.raises(OutputError, match="choose another --log"):
        LiveLog(tmp_path)
    reading = BlockMeter(64, RATE_HZ).read()
    with LiveLog(Path("/dev/full")) as log:
        log.write(1.0, reading, {})
        log.write(2.0, reading, {})
    said = capfd.readouterr().err
    assert said.count("/dev/full: cannot be written any more") == 1


def test_the_view_says_levels_cost_and_causes():
    meter = BlockMeter(64, RATE_HZ)
    for busy_ns, flags in ((100_000, 0), (2_000_000, 0), (100_000, 4), (100_000, 0), *[(100_000, 0)] * 5, (90_000, 4)):
        meter.record(busy_ns, 0.5, 1.5, flags)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view_table("sd1.w8.tflite", 12.4, meter.read(), meter.read(), "playing"))
    text = console.export_text()
    for words in ("sd1.w8.tflite", "-6.0 dB", "3.5 dB CLIP", "p50 100 µs", "max 2000 µs of 1333 µs",
                  "2: 1 after a late block of the pedal, 1 from outside", "1 of 10 blocks", "playing, 12 s"):
        assert words in text, text
