"""A process that plays and ends, and the next one that goes on: without a sound card, turns are functions."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neuralpedal.cli import player_keeper
from neuralpedal.cli.player_keeper import Backoff, PlayerKeeper
from neuralpedal.cli.player_process import Turn
from neuralpedal.cli.signal_handlers import HeldBack, handled, held_back
from neuralpedal.contract.errors import AudioDeviceError, DeviceError, SpecError
from neuralpedal.device.block_meter import BlockMeter
from neuralpedal.device.xrun_storm import XrunStorm


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "FIRST_S", 0.0)


def wait_for(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30.0
    while not true() and time.monotonic() < end:
        time.sleep(0.01)


def test_the_next_turn_gets_what_the_last_one_remembered_and_what_was_opened_before(tmp_path, capfd):
    opened = {"model": object()}
    wanted = id(opened["model"])

    def play(turn: Turn) -> None:
        with (tmp_path / "turns").open("a") as file:
            file.write(f"{turn.number} {turn.memory} {id(opened['model']) == wanted} {os.getppid()}\n")
        turn.remember({"preset": "clean"})
        turn.remember({"preset": f"preset {turn.number}"})
        if turn.number < 2:
            raise AudioDeviceError("the card is gone; look for it")

    PlayerKeeper(play).play()
    assert (tmp_path / "turns").read_text().splitlines() == [
        f"0 None True {os.getpid()}", f"1 {{'preset': 'preset 0'}} True {os.getpid()}",
        f"2 {{'preset': 'preset 1'}} True {os.getpid()}"]
    assert capfd.readouterr().err.count("the card is gone; trying again in 0 s, models stay loaded") == 2


@pytest.mark.parametrize(("error", "sounds"), [
    (AudioDeviceError("no card"), False), (SpecError("wrong"), True), (DeviceError("no interpreter"), False)])
def test_what_another_turn_cannot_mend_is_raised_as_it_was(error, sounds):
    def play(turn: Turn) -> None:
        assert turn.number == 0
        if sounds:
            turn.remember({})
        raise error

    with pytest.raises(type(error), match=str(error)):
        PlayerKeeper(play).play()


def test_a_bug_of_a_turn_keeps_its_traceback():
    def play(_turn: Turn) -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(RuntimeError, match=r"(?s)in play.*ZeroDivisionError: a bug"):
        PlayerKeeper(play).play()


def test_a_turn_that_crashes_is_followed_by_another_but_not_for_ever():
    def crash_once(turn: Turn) -> None:
        turn.remember({})
        if turn.number == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    PlayerKeeper(crash_once).play()

    def crash(turn: Turn) -> None:
        assert turn.number < 5
        turn.remember({})
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(DeviceError, match=r"ended by itself \(signal 9\)"):
        PlayerKeeper(crash).play()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_go_to_whoever_plays_and_handlers_are_put_back(number):
    def play(_turn: Turn) -> None:
        got: list[int] = []
        with handled({number: lambda number, _frame: got.append(number)}):
            os.kill(os.getppid(), number)
            wait_for(lambda: got)
        assert got == [number]

    before = signal.getsignal(number)
    PlayerKeeper(play).play()
    assert signal.getsignal(number) == before


def test_switching_signals_that_come_too_early_wait_until_a_turn_listens_and_the_last_ones_harm_nobody():
    def play(_turn: Turn) -> None:
        got: list[int] = []
        # SIGUSR1 came before this process was there; it is in the child as soon as the second one is.
        os.kill(os.getpid(), signal.SIGUSR2)
        waiting = signal.getsignal(signal.SIGUSR2)
        assert isinstance(waiting, HeldBack)
        wait_for(lambda: len(waiting._numbers) == 2)
        with handled(dict.fromkeys((signal.SIGUSR1, signal.SIGUSR2), lambda number, _frame: got.append(number))):
            assert sorted(got) == [signal.SIGUSR1, signal.SIGUSR2]
        os.kill(os.getpid(), signal.SIGUSR1)

    with held_back(signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), signal.SIGUSR1)
        PlayerKeeper(play).play()
        os.kill(os.getpid(), signal.SIGUSR2)


def test_a_signal_that_is_ignored_stays_ignored_by_whoever_plays(tmp_path):
    def play(_turn: Turn) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        (tmp_path / "alive").touch()

    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        PlayerKeeper(play).play()
    finally:
        signal.signal(signal.SIGINT, ours)
    assert (tmp_path / "alive").exists()


def test_a_signal_before_a_turn_listens_ends_it_quietly():
    PlayerKeeper(lambda _turn: (os.kill(os.getppid(), signal.SIGTERM), time.sleep(60.0))).play()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_pause_ends_it_at_once_and_no_turn_follows(monkeypatch, number):
    monkeypatch.setattr(Backoff, "FIRST_S", 1000.0)
    monkeypatch.setattr(player_keeper, "warn", lambda _message: os.kill(os.getpid(), number))

    def play(turn: Turn) -> None:
        turn.remember({})
        raise AudioDeviceError("gone")

    begun = time.monotonic()
    PlayerKeeper(play).play()
    assert time.monotonic() - begun < 500.0


def test_the_time_to_play_ends_in_a_pause_as_well(monkeypatch):
    monkeypatch.setattr(Backoff, "FIRST_S", 1000.0)

    def play(turn: Turn) -> None:
        turn.remember({})
        raise AudioDeviceError("gone")

    PlayerKeeper(play, seconds=0.3).play()


def test_pauses_double_up_to_five_seconds_and_begin_anew_after_ten_good_ones(monkeypatch):
    monkeypatch.setattr(Backoff, "FIRST_S", 0.25)
    backoff = Backoff()
    assert [backoff.pause_s(0.1) for _ in range(8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert [backoff.pause_s(played_s) for played_s in (12.0, 3.0, 9.9)] == [0.25, 0.5, 1.0]


def test_a_turn_leaves_no_process_and_no_open_file_behind():
    before = len(list(Path("/proc/self/fd").iterdir()))
    count = itertools.count()

    def play(turn: Turn) -> None:
        turn.remember({"turn": next(count)})
        if turn.number < 5:
            raise AudioDeviceError("gone")

    PlayerKeeper(play).play()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_quarter_of_the_blocks_lost_from_outside_for_seconds_is_a_storm_and_the_pedals_own_fault_is_none():
    def seconds_until_storm(storm: XrunStorm, lost: int, late: bool, most: int = 200) -> int | None:
        meter, since = BlockMeter(64, 48_000), 0
        for second in range(most):
            for block in range(100):
                meter.record(2_000_000 if late else 1000, 0.0, 0.0, 4 if block < lost else 0)
            reading = meter.read(since)
            since = reading.blocks
            if storm.note(reading):
                return second + 1
        return None

    assert seconds_until_storm(XrunStorm(), 25, late=False) == 5
    assert seconds_until_storm(XrunStorm(2), 100, late=False) == 20
    assert seconds_until_storm(XrunStorm(99), 100, late=False) == 80
    assert seconds_until_storm(XrunStorm(), 24, late=False) is None
    assert seconds_until_storm(XrunStorm(), 100, late=True) is None


def test_a_second_without_a_storm_begins_its_count_anew():
    storm, meter, since, told = XrunStorm(), BlockMeter(64, 48_000), 0, []
    for is_bad in [True] * 4 + [False] + [True] * 5:
        for _ in range(100):
            meter.record(1000, 0.0, 0.0, 4 if is_bad else 0)
        reading = meter.read(since)
        since = reading.blocks
        told.append(storm.note(reading))
    assert told == [False] * 9 + [True]
