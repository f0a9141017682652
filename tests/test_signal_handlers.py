"""Signals that are ours for a while: what comes early is handled once, by whoever is there first, and nobody else's."""

import os
import signal
import threading
from signal import SIGUSR1, SIGUSR2

from neuralpedal.cli.signal_handlers import Handler, handled, held_back


def noted(got: list[int]) -> Handler:
    return lambda number, _frame: got.append(number)


def test_what_was_held_back_is_handled_once_in_its_order_though_several_share_a_keeper() -> None:
    got: list[int] = []
    with held_back(SIGUSR1, SIGUSR2):
        for number in (SIGUSR2, SIGUSR1, SIGUSR2):
            os.kill(os.getpid(), number)
        for _ in range(2):
            with handled(dict.fromkeys((SIGUSR1, SIGUSR2), noted(got))):
                assert got == [SIGUSR2, SIGUSR1, SIGUSR2]


def test_what_was_held_back_and_has_no_handler_harms_nobody() -> None:
    got: list[int] = []
    with held_back(SIGUSR1, SIGUSR2):
        os.kill(os.getpid(), SIGUSR1)
        os.kill(os.getpid(), SIGUSR2)
        with handled({SIGUSR2: noted(got)}):
            assert got == [SIGUSR2]


def test_in_another_thread_than_the_main_one_nothing_happens() -> None:
    seen: list[object] = []

    def enter() -> None:
        with held_back(SIGUSR1):
            seen.append(signal.getsignal(SIGUSR1))

    before = signal.getsignal(SIGUSR1)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
