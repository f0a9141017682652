"""The control thread and its queue: in order, bounded, and deaf to what goes wrong."""

import threading

from neuralpedal.contract.errors import ControlError, SpecError
from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls.action_queue import ActionQueue, Order
from neuralpedal.device.controls.control_loop import ControlLoop


def order(text: str, source: str = "knob 0") -> Order:
    return Order(parse_action(text), source)


def taken(queue: ActionQueue) -> list[str]:
    found = []
    while (one := queue.take()) is not None:
        found.append(str(one.action))
    return found


def test_a_full_queue_drops_what_is_new_counts_it_and_keeps_the_order():
    queue = ActionQueue(3)
    texts = ("bypass on", "mute on", "preset 1", "save", "save")
    assert [queue.put(order(text)) for text in texts] == [True, True, True, False, False]
    assert queue.dropped == 2 and taken(queue) == ["bypass on", "mute on", "preset 1"]


def test_a_knob_that_is_turned_fast_takes_one_place_and_its_last_value_counts():
    queue = ActionQueue(3)
    for value in range(100):
        assert queue.put(order(f"set bass {value / 10:g}"))
    assert queue.put(order("turn mid 1", "encoder")) and queue.put(order("turn mid 2.5", "encoder"))
    assert queue.dropped == 0 and taken(queue) == ["set bass 9.9", "turn mid +3.5"]


def test_only_neighbours_of_one_source_are_put_together_and_never_what_somebody_waits_for():
    queue, answered = ActionQueue(), []
    queue.put(order("set bass 1"))
    queue.put(order("bypass on"))
    queue.put(order("set bass 2"))
    queue.put(order("set bass 3", "ctl"))
    queue.put(Order(Action("set", "bass", 4.0), "ctl", answered.append))
    assert taken(queue) == ["set bass 1", "bypass on", "set bass 2", "set bass 3", "set bass 4"]


class Failing:
    """A source that fails until it is mended."""

    name = "knob 0"

    def __init__(self) -> None:
        self.broken, self.tends, self.closed = True, 0, 0

    def descriptors(self) -> list[int]:
        return []

    def tend(self, now_s: float) -> float:
        self.tends += 1
        if self.broken:
            raise ControlError("knob 0: no answer")
        return 0.02

    def close(self) -> None:
        self.closed += 1


def test_a_source_that_fails_is_said_once_and_tried_again_after_longer_and_longer_rests():
    now_s, said, source = 0.0, [], Failing()
    loop = ControlLoop(lambda action: None, said.append, lambda: now_s)
    loop.add(source)
    tried = []
    for step in range(2000):
        now_s, before = step / 10, source.tends
        loop.turn(woken=step % 2 == 0)
        if source.tends > before:
            tried.append(now_s)
    assert tried == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0, 121.0, 151.0, 181.0]
    assert len(said) == 1 and "knob 0: no answer; the music goes on" in said[0]
    source.broken, now_s = False, 300.0
    assert loop.turn() <= 0.02
    source.broken, now_s = True, 301.0
    loop.turn()
    assert len(said) == 2
    loop.close()
    loop.close()
    assert source.closed == 1


def test_what_the_pedal_refuses_is_counted_and_shown_and_the_next_is_done():
    done = []

    def apply(action: Action) -> None:
        if action.verb == "preset":
            raise SpecError("no preset '9'")
        done.append(str(action))

    loop, answers = ControlLoop(apply, lambda line: None), []
    loop.order(Order(Action("preset", "9"), "ctl", answers.append))
    loop.turn()
    assert (loop.actions, loop.refused, loop.last) == (0, 1, "ctl: preset 9 (refused: no preset '9')")
    loop.order(Order(Action("save"), "key s", answers.append))
    loop.turn()
    assert (loop.actions, loop.refused, loop.last) == (1, 1, "key s: save") and done == ["save"]
    assert [type(answer) for answer in answers] == [SpecError, type(None)]
    loop.close()


def test_an_order_from_any_thread_wakes_the_control_thread():
    did, seen = threading.Event(), []

    def apply(action: Action) -> None:
        seen.append(threading.current_thread().name)
        did.set()

    loop = ControlLoop(apply, lambda line: None)
    loop.start()
    for _ in range(100):
        did.clear()
        assert loop.deliver(Action("save"), "test") and did.wait(30.0)
    loop.close()
    assert {*seen} == {"controls"} and loop.actions == 100
    assert not loop._thread.is_alive()
    loop.wake()  # an edge of a pin that comes late


def test_nobody_waits_while_the_control_thread_is_busy_and_the_surplus_is_counted():
    busy, free = threading.Event(), threading.Event()

    def apply(action: Action) -> None:
        busy.set()
        free.wait(30.0)

    loop = ControlLoop(apply, lambda line: None)
    loop.start()
    loop.deliver(Action("save"), "test")
    assert busy.wait(30.0)
    results = [loop.deliver(Action("save"), "test") for _ in range(100_000)]
    assert sum(results) == 64 and loop.dropped == 100_000 - 64
    free.set()
    loop.close()
