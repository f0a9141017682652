"""What the kernel grants an audio thread, and what is said where it refuses."""

import os
from pathlib import Path

import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.device import realtime
from neuralpedal.device.pedal_file import PedalFile, RealtimeSettings
from neuralpedal.device.realtime import lock_memory, raise_thread

pytestmark = pytest.mark.device


def refuse(*_arguments):
    raise PermissionError(1, "Operation not permitted")


def test_what_is_refused_is_said_with_the_command_that_allows_it(monkeypatch):
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    monkeypatch.setattr(realtime, "_mlockall", refuse)
    settings = RealtimeSettings(priority=80, cpu=0)
    locked, raised, placed = lock_memory(settings) + raise_thread(settings, 0)
    assert not locked.granted and not raised.granted and not placed.granted
    assert "memory not locked (Operation not permitted)" in str(locked) and "memlock unlimited" in str(locked)
    assert "no real-time priority 80 (Operation not permitted)" in str(raised) and "usermod -aG audio" in str(raised)
    assert "rtprio 95" in str(raised)
    assert f"may use {min(os.sched_getaffinity(0))}" in str(placed)


def test_what_is_granted_is_asked_for_once_and_of_the_right_thread(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_getscheduler", lambda thread: os.SCHED_OTHER)
    monkeypatch.setattr(os, "sched_setscheduler",
                        lambda thread, policy, param: asked.append((thread, policy, param.sched_priority)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cores: asked.append((thread, cores)))
    assert all(outcome.granted for outcome in raise_thread(RealtimeSettings(priority=42, cpu=3), 77))
    assert asked == [(77, os.SCHED_FIFO, 42), (77, {3})]


def test_a_thread_that_jack_made_real_time_keeps_its_priority(monkeypatch):
    monkeypatch.setattr(os, "sched_getscheduler", lambda thread: os.SCHED_FIFO)
    monkeypatch.setattr(os, "sched_getparam", lambda thread: os.sched_param(5))
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    (outcome,) = raise_thread(RealtimeSettings(), 1)
    assert outcome.granted and "priority 5 already" in str(outcome)


def test_what_is_not_wanted_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(realtime, "_mlockall", refuse)
    settings = RealtimeSettings(priority=0, lock_memory=False)
    assert lock_memory(settings) + raise_thread(settings, 1) == []


@pytest.mark.parametrize(("line", "wanted"), [
    ("priority: 99", "a whole number from 0"), ("cpu: -1", "the number of a processor core"),
    ("lock_memory: maybe", "true or false"), ("nice: 3", "priority")])
def test_what_is_wrong_in_pedal_yaml_names_its_line(tmp_path: Path, line, wanted):
    file = tmp_path / "pedal.yaml"
    file.write_text(f"realtime:\n  {line}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=rf"pedal\.yaml:2.*{wanted}"):
        PedalFile(file)
