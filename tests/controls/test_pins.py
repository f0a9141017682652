"""Footswitches, LEDs, encoders and knobs on mock pins, tended by hand on a clock of the test."""

import itertools
import sys
from collections.abc import Iterator

import gpiozero
import pytest

from mock_board import MockBoard
from neuralpedal.contract.errors import ControlError
from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls import knob as knob_module
from neuralpedal.device.controls.encoder import Encoder
from neuralpedal.device.controls.footswitch import Footswitch
from neuralpedal.device.controls.knob import HYSTERESIS, Knob
from neuralpedal.device.controls.led import Led
from neuralpedal.device.controls.source import Source
from neuralpedal.device.controls.value_range import ValueRange
from neuralpedal.device.pedal import Heard


class Inbox:
    """What was delivered; takes nothing while it is ``full``."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, str]] = []
        self.wakes, self.full = 0, False
        self.opened: list[Source] = []

    def deliver(self, action: Action, source: str) -> bool:
        if not self.full:
            self.orders.append((str(action), source))
        return not self.full

    def wake(self) -> None:
        self.wakes += 1

    def take(self) -> list[tuple[str, str]]:
        taken, self.orders = self.orders, []
        return taken


@pytest.fixture
def board() -> Iterator[MockBoard]:
    kept = gpiozero.Device.pin_factory
    made = MockBoard()
    yield made
    made.factory.reset()
    gpiozero.Device.pin_factory = kept


@pytest.fixture
def inbox(board: MockBoard) -> Iterator[Inbox]:
    made = Inbox()
    yield made
    for source in made.opened:
        source.close()


def footswitch(inbox: Inbox, **actions: str) -> Footswitch:
    parsed = {event: parse_action(text) for event, text in actions.items()}
    made = Footswitch("footswitch 17", 17, parsed, inbox.deliver, inbox.wake, 0.015, 0.6)
    inbox.opened.append(made)
    return made


def look(source, from_s: float, until_s: float) -> float:
    """As the control thread does where nothing wakes it: whenever the source wanted to be looked at."""
    now_s = from_s
    while now_s <= until_s:
        now_s += max(1e-4, source.tend(now_s))
    return until_s


def test_a_bouncing_footswitch_is_one_press(board, inbox):
    switch = footswitch(inbox, press="bypass toggle")
    now_s = 0.0
    for closes in (True, False, True):
        for bounce in range(9):
            (board.low if (bounce % 2 == 0) == closes else board.high)(17)
            switch.tend(now_s)
            now_s += 0.002
        now_s = look(switch, now_s, now_s + 1.0)
    assert inbox.take() == [("bypass toggle", "footswitch 17")] * 2
    assert inbox.wakes >= 27


def test_bounces_between_two_looks_are_seen_by_their_edges(board, inbox):
    switch = footswitch(inbox, press="bypass toggle")
    for look_at in range(20):
        board.low(17)
        board.high(17)
        board.low(17)
        switch.tend(0.010 * look_at)
    assert inbox.take() == []
    look(switch, 0.190, 0.3)
    assert len(inbox.take()) == 1


def test_a_short_press_and_a_long_one_do_different_things(board, inbox):
    switch = footswitch(inbox, press="bypass toggle", hold="preset next")
    board.low(17)
    look(switch, 0.0, 0.2)
    board.high(17)
    look(switch, 0.2, 1.0)
    assert inbox.take() == [("bypass toggle", "footswitch 17")]
    board.low(17)
    look(switch, 1.0, 2.0)
    assert inbox.take() == [("preset next", "footswitch 17")]
    board.high(17)
    look(switch, 2.0, 3.0)
    assert inbox.take() == []


def test_a_momentary_footswitch_does_one_thing_when_pressed_and_another_when_let_go(board, inbox):
    switch = footswitch(inbox, press="bypass off", release="bypass on")
    board.low(17)
    look(switch, 0.0, 0.2)
    assert inbox.take() == [("bypass off", "footswitch 17")]
    board.high(17)
    look(switch, 0.2, 0.4)
    assert inbox.take() == [("bypass on", "footswitch 17")]


def test_a_footswitch_that_is_closed_when_the_pedal_starts_was_not_pressed(board, inbox):
    board.factory.pin(17)
    board.factory.pin(17).pull = "up"
    kept = gpiozero.DigitalInputDevice

    class Closed(kept):
        def __init__(self, pin, **more):
            super().__init__(pin, **more)
            board.low(17)

    gpiozero.DigitalInputDevice = Closed
    try:
        switch = footswitch(inbox, press="bypass toggle", hold="save")
    finally:
        gpiozero.DigitalInputDevice = kept
    look(switch, 0.0, 2.0)
    board.high(17)
    look(switch, 2.0, 3.0)
    assert inbox.take() == []
    board.low(17)
    look(switch, 3.0, 3.2)
    board.high(17)
    look(switch, 3.2, 4.0)
    assert inbox.take() == [("bypass toggle", "footswitch 17")]


def rotary_encoder(inbox: Inbox, step: float = 1.0) -> Encoder:
    made = Encoder("encoder 5 6", (5, 6), "output_gain_db", step, inbox.deliver, inbox.wake)
    inbox.opened.append(made)
    return made


def _rotate(board: MockBoard, detents: int) -> None:
    order = [(5, "low"), (6, "low"), (5, "high"), (6, "high")]
    if detents < 0:
        order = [(6, "low"), (5, "low"), (6, "high"), (5, "high")]
    for _ in range(abs(detents)):
        for pin, level in order:
            getattr(board, level)(pin)


def test_every_detent_of_an_encoder_turns_the_parameter_and_many_are_one_turn(board, inbox):
    encoder = rotary_encoder(inbox, 0.5)
    _rotate(board, 1)
    first = 0.5 if encoder._device.steps > 0 else -0.5
    encoder.tend(0.0)
    assert inbox.take() == [(f"turn output_gain_db {first:+g}", "encoder 5 6")] and inbox.wakes == 1
    _rotate(board, 6)
    _rotate(board, -2)
    encoder.tend(0.1)
    encoder.tend(0.2)
    assert inbox.take() == [(f"turn output_gain_db {4 * first:+g}", "encoder 5 6")]


def test_a_contact_of_an_encoder_that_bounces_turns_nothing(board, inbox):
    encoder = rotary_encoder(inbox)
    for _ in range(20):
        board.low(5)
        board.high(5)
    encoder.tend(0.0)
    assert inbox.take() == []


def test_detents_that_find_the_queue_full_are_not_lost(board, inbox):
    encoder = rotary_encoder(inbox)
    inbox.full = True
    _rotate(board, 3)
    encoder.tend(0.0)
    inbox.full = False
    encoder.tend(0.1)
    assert inbox.take()[0][0] in ("turn output_gain_db +3", "turn output_gain_db -3")


def knob(board: MockBoard, inbox: Inbox, value: int, values: ValueRange | None = None) -> Knob:
    board.adc(3, value)
    made = Knob("knob 3", 3, 8, "output_gain_db", values or ValueRange(-40.0, 6.0), inbox.deliver)
    inbox.opened.append(made)
    made.tend(0.0)
    return made


def test_a_knob_says_nothing_until_it_is_turned_and_then_where_it_is(board, inbox):
    turned = knob(board, inbox, 512)
    assert inbox.take() == []
    board.adc(3, 256)
    turned.tend(0.02)
    assert inbox.take() == [(f"set output_gain_db {-40 + 46 * 256 / 1023:.9g}", "knob 3")]


@pytest.mark.parametrize("middle", [6, 100, 512, 1018])
def test_noise_of_two_steps_sends_nothing_wherever_the_knob_stands(board, inbox, middle):
    turned = knob(board, inbox, 300)
    for looks in range(200):
        board.adc(3, middle + (-2, 1, 2, 0, -1)[looks % 5])
        turned.tend(0.02 * looks)
        if looks == 10:
            assert inbox.take(), "it was turned there"
    assert inbox.take() == []


@pytest.mark.parametrize(("raw", "value"), [(3, "-40"), (1020, "6")])
def test_the_ends_of_a_knob_are_the_ends_of_the_range_exactly(board, inbox, raw, value):
    turned = knob(board, inbox, 512)
    board.adc(3, raw)
    turned.tend(0.02)
    assert inbox.take() == [(f"set output_gain_db {value}", "knob 3")]


def test_a_slow_turn_is_followed_in_steps_of_the_hysteresis(board, inbox):
    turned = knob(board, inbox, 0)
    for raw in range(1024):
        board.adc(3, raw)
        turned.tend(0.02 * raw)
    sent = inbox.take()
    assert len(sent) >= 1023 // (HYSTERESIS + 1) - 2 and sent[-1][0] == "set output_gain_db 6"
    assert knob_module.TOP == 1023


def test_an_led_is_lit_dark_or_blinks_at_the_rate_of_what_is_wrong(board):
    heard = Heard.EFFECT
    led = Led("led 27", 27, lambda: heard)

    def changes() -> int:
        seen, now_s = [], 0.0
        while now_s < 2.0:
            led.tend(now_s)
            seen.append(board.state(27))
            now_s += 0.01
        return sum(a != b for a, b in itertools.pairwise(seen)) if len({*seen}) > 1 else 100 * seen[0]

    assert changes() == 100
    heard = Heard.BYPASSED
    led.tend(2.0)
    assert changes() == 0
    heard = Heard.MUTED
    led.tend(2.0)
    assert 6 <= changes() <= 8
    heard = Heard.OVERLOAD
    led.tend(2.0)
    assert 30 <= changes() <= 32
    led.close()


def test_a_pin_that_something_else_has_is_named(board, inbox):
    footswitch(inbox, press="save")
    with pytest.raises(ControlError, match=r"footswitch 17: .*17.*check the pin's number"):
        footswitch(inbox, press="save")


def test_missing_gpiozero_is_said_with_the_extra_that_has_it(inbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(ControlError, match=r"neuralpedal\[gpio\]"):
        footswitch(inbox, press="save")
