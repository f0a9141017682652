"""A contact as presses: bounces are none, short and long ones are told apart, each is told once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.device.controls.press import HOLD, PRESS, RELEASE, Press

SETTLE_S, HOLD_S = 0.015, 0.6


def events(press: Press, until_s: float, from_s: float = 0.0, step_s: float = 0.001) -> list[str]:
    """Looked at once a millisecond."""
    steps = range(round((until_s - from_s) / step_s) + 1)
    return [event for step in steps for event in press.events(from_s + step * step_s)]


def test_a_press_is_told_once_when_the_contact_has_settled_and_letting_go_as_well():
    press = Press(SETTLE_S)
    press.note(True, 0.0)
    assert events(press, 0.014) == []
    assert events(press, 1.0, 0.015) == [PRESS]
    press.note(False, 1.0)
    assert events(press, 2.0, 1.0) == [RELEASE]


def test_a_short_press_is_told_at_its_end_where_long_ones_mean_something_else():
    press = Press(SETTLE_S, HOLD_S)
    press.note(True, 0.0)
    assert events(press, 0.3) == []
    press.note(False, 0.3)
    assert events(press, 1.0, 0.3) == [PRESS, RELEASE]


def test_a_long_press_is_told_while_it_is_held_and_is_no_short_one_afterwards():
    press = Press(SETTLE_S, HOLD_S)
    press.note(True, 0.0)
    assert events(press, 0.599) == []
    assert events(press, 5.0, 0.6) == [HOLD]
    press.note(False, 5.0)
    assert events(press, 6.0, 5.0) == [RELEASE]


def test_a_spike_shorter_than_a_bounce_is_nothing():
    press = Press(SETTLE_S, HOLD_S)
    press.note(True, 0.0)
    press.note(False, 0.010)
    assert events(press, 2.0, 0.010) == []


def test_a_contact_that_opens_just_before_it_would_be_a_long_press_is_a_short_one():
    press = Press(SETTLE_S, HOLD_S)
    press.note(True, 0.0)
    assert events(press, 0.595) == []
    press.note(False, 0.595)
    assert events(press, 2.0, 0.595) == [PRESS, RELEASE]


def test_it_says_when_to_look_again():
    press = Press(SETTLE_S, HOLD_S)
    assert press.next_s(0.0) is None
    press.note(True, 0.0)
    assert press.next_s(0.005) == pytest.approx(0.010)
    assert list(press.events(0.016)) == []
    assert press.next_s(0.016) == pytest.approx(0.584)
    assert list(press.events(0.6)) == [HOLD] and press.next_s(0.7) is None


@given(st.integers(0, 2**32), st.booleans())
def test_however_contacts_bounce_each_press_is_told_once(seed, has_hold):
    rng, press, now_s, told = random.Random(seed), Press(SETTLE_S, HOLD_S if has_hold else None), 0.0, []
    wanted = []
    for _ in range(5):
        is_long = rng.random() < 0.5
        for closed in (True, False):
            for _ in range(2 * rng.randrange(8)):
                now_s += rng.uniform(0.0001, 0.9 * SETTLE_S)
                press.note(not press._raw, now_s)
                told += press.events(now_s)
            press.note(closed, now_s)
            end_s = now_s + (1.0 if is_long else 0.1)
            told += events(press, end_s, now_s)
            now_s = end_s
        wanted += ([HOLD, RELEASE] if is_long else [PRESS, RELEASE]) if has_hold else [PRESS, RELEASE]
    assert told == wanted
