"""Ctrl-C while a network trains: no press is lost, whatever Python is doing at that moment."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.interruption import interruptible
from neuralpedal.cli.train_command import train_with_bar
from neuralpedal.train.recipe import read_recipe
from neuralpedal.train.session import prepare_session


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class _PressesWhenItGoes:
    """Inside a destructor Python drops a KeyboardInterrupt."""

    def __del__(self) -> None:
        _press()
        time.sleep(0)  # a bytecode boundary: here the handler runs


def test_a_press_inside_a_destructor_is_not_lost() -> None:
    with interruptible() as interruption:
        thing = _PressesWhenItGoes()
        interruption.check()
        del thing
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_the_first_press_waits_for_the_check_and_the_second_raises_at_once() -> None:
    with interruptible() as interruption:
        _press()
        time.sleep(0)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            _press()
            time.sleep(1)


def test_the_old_handler_is_back_afterwards_whatever_happened() -> None:
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ValueError, match="other"), interruptible():
        raise ValueError("other")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_the_signal_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            _press()
            interruption.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_changes_nothing() -> None:
    seen = []

    def work() -> None:
        with interruptible() as interruption:
            seen.append((signal.getsignal(signal.SIGINT), interruption.asked))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(signal.default_int_handler, False)]


@pytest.mark.timeout(120)
def test_a_training_stops_at_whatever_moment_the_signal_comes(pair_paths: tuple[Path, Path], tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """Within batches, validations and the writing of checkpoints: a lost signal would train for hours."""
    monkeypatch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 1)
    recipe = read_recipe(None, epochs=1_000_000, hidden_size=4, streams=8, chunk_samples=256, chunks_per_segment=4,
                         warm_up_samples=256)
    session = prepare_session(*pair_paths, tmp_path / "run", recipe)
    rng = np.random.default_rng(0)
    epochs = []
    for _ in range(8):
        timer = threading.Timer(rng.uniform(0.05, 0.8), _press)
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            train_with_bar(session)
        timer.join()
        assert session.run.read_training()["outcome"] == "interrupted"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        epochs.append(session.run.read_training()["epochs"])
    assert epochs == sorted(epochs) and epochs[-1] > epochs[0]
