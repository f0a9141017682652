"""A sound card without hardware: a JACK server with its dummy driver, and a guitarist who plays into a client of it.

In freewheel mode JACK calls its clients one after the other, as fast as they can: no clock, no xruns, and every sample
arrives. What is played and recorded there is exact; only in that mode tests compare samples. No client may leave in
that mode: jackd 1.9.21 then answers nobody any more. Nor is it exact from the first block on: clients that were late
when the mode began are left out for as long as they need, by thousands of blocks that JACK counts all the same.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuralpedal.device.engine import Engine
from neuralpedal.device.stream import stream

RATE_HZ = 48_000
PERIOD = 64
CLIENT = "PortAudio"
_MOST_TRIED = 16
_STUCK_S = 120.0


def need_audio() -> None:
    """Skip a test, or fail it where CI must have everything, without a JACK server, PyAudio and JACK-Client."""
    missing = [program for program in ("jackd",) if not shutil.which(program)]
    for module in ("pyaudio", "jack"):
        try:
            __import__(module)
        except (ImportError, OSError):
            missing.append(f"Python module {module}")
    if missing:
        message = f"no {missing[0]} (make test installs it: .ci/system-packages --audio)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def wait_until(true: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


class JackServer:
    """``jackd -d dummy`` under a name of its own, so that servers of other tests and of the user are left alone."""

    def __init__(self, folder: Path, rate_hz: int = RATE_HZ, period: int = PERIOD) -> None:
        self.name = f"neuralpedal-{os.getpid()}-{time.monotonic_ns() % 1_000_000}"
        self._log = folder / f"{self.name}.log"
        self._command = ["jackd", "--name", self.name, "--no-realtime", "--no-mlock", "-d", "dummy", "-r", str(rate_hz),
                         "-p", str(period)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find this server."""
        return {**os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    def start(self) -> None:
        """Returns when clients can connect. JACK knows eight servers at most, so that it may have to wait for one."""
        end = time.monotonic() + 60.0
        while not self._starts():
            said = self._log.read_text(errors="replace")
            assert "Too many servers" in said and time.monotonic() < end, said
            _forget_dead_servers()
            time.sleep(0.5)

    def _starts(self) -> bool:
        """Whether it answers, or ended at once."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log,
                                             env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"})
        process = self._process
        wait_until(lambda: process.poll() is not None or self._answers(),
                   f"jackd ({self._log.read_text(errors='replace')})")
        return process.poll() is None

    def stop(self) -> None:
        """Returns when it is gone."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """At once: calls of its clients that wait for it come back."""
        if self._process:
            self._process.kill()

    def _answers(self) -> bool:
        try:
            return subprocess.run(["jack_lsp"], env=self.environment, capture_output=True, timeout=5).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def _forget_dead_servers() -> None:
    """Free what killed servers hold of JACK's registry: one of the same name takes its entry over, and returns it."""
    registry = Path("/dev/shm/jack-shm-registry")
    known = registry.read_bytes()[:4096] if registry.exists() else b""
    for entry in re.finditer(rb"(.{4})jack-\d+:(neuralpedal-[\d-]+):\0", known, re.DOTALL):
        if not Path(f"/proc/{int.from_bytes(entry[1], sys.byteorder)}").exists():
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(["timeout", "1", "jackd", "--name", entry[2].decode(), "--no-realtime", "--no-mlock",
                                "-d", "dummy"], capture_output=True, timeout=10,
                               env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"})


@contextmanager
def running_server(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: int) -> Iterator[JackServer]:
    """A server with ``options`` that this process and its children find."""
    need_audio()
    server = JackServer(folder, **options)
    try:
        server.start()
        for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            monkeypatch.setenv(name, server.environment[name])
        yield server
    finally:
        server.stop()


class _Pace:
    """Whether JACK calls a client for every block that it counts.

    Attributes:
        leaps: how often it did not while a track was played.
    """

    STEADY = 8

    def __init__(self) -> None:
        self._next, self._in_a_row, self.leaps = 0, 0, 0

    @property
    def is_steady(self) -> bool:
        """It has, for the last blocks."""
        return self._in_a_row >= self.STEADY

    def note(self, now: int, frames: int, in_the_track: bool) -> None:
        """At each block: JACK's count at its begin."""
        self._in_a_row = self._in_a_row + 1 if now == self._next else 0
        if in_the_track and not self._in_a_row:
            self.leaps += 1
        self._next = now + frames


class Guitarist:
    """Plays tracks into a pedal that PortAudio put on this server, and records what comes out.

    Two JACK clients, one before the pedal and one behind it: the graph is a line, to which JACK adds no delay. Each
    block is placed by JACK's count of frames, so that the delay of the pedal is measured and not guessed. A track
    begins once that count goes on block by block for both.
    """

    def __init__(self, server: JackServer) -> None:
        import jack

        jack.set_error_function(lambda message: None)
        jack.set_info_function(lambda message: None)
        self._guitar, self._recorder = (jack.Client(name, no_start_server=True, servername=server.name)
                                        for name in ("guitar", "recorder"))
        self._out = self._guitar.outports.register("out")
        self._in = self._recorder.inports.register("in")
        self._track = self._record = np.zeros(0, np.float32)
        self._freewheels, self._begun, self._end = False, 0, 0
        self._guitar_pace, self._recorder_pace = _Pace(), _Pace()
        self._guitar.set_freewheel_callback(self._note_freewheel)
        self._guitar.set_process_callback(self._play)
        self._recorder.set_process_callback(self._listen)
        self._guitar.activate()
        self._recorder.activate()

    def plug_in(self) -> None:
        """Put the two clients before and behind the pedal, in the place of the sound card; waits for its ports."""
        guitar = self._guitar
        wait_until(lambda: len(guitar.get_ports(f"{CLIENT}:out_")) > 0, "the pedal's ports")
        for port in guitar.get_ports(f"{CLIENT}:"):
            wait_until(lambda port=port: len(guitar.get_all_connections(port)) > 0, f"{port.name} to be connected")
            for other in guitar.get_all_connections(port):
                guitar.disconnect(*((port, other) if port.is_output else (other, port)))
        guitar.connect(self._out, f"{CLIENT}:in_0")
        guitar.connect(f"{CLIENT}:out_0", self._in)

    def play(self, track: NDArray[np.float32], tail: int = 4096, seconds: float = 120.0) -> NDArray[np.float32]:
        """Play ``track`` (T,), then silence, in freewheel mode; float32 (T + tail,) from when the track began."""
        self._track, self._record = track, np.zeros(len(track) + tail, np.float32)
        self._begun = self._end = 0
        self._guitar_pace, self._recorder_pace = _Pace(), _Pace()
        self._guitar.set_freewheel(True)
        try:
            wait_until(lambda: self._end >= len(self._record), "the end of the track", seconds)
        finally:
            self._guitar.set_freewheel(False)
            wait_until(lambda: not self._freewheels, "the end of freewheel mode")
        leaps = self._guitar_pace.leaps, self._recorder_pace.leaps
        assert leaps == (0, 0), f"JACK left out blocks of the track: {leaps}"
        return self._record

    def close(self) -> None:
        """Both clients leave the server."""
        for client in (self._guitar, self._recorder):
            client.deactivate()
            client.close()

    def _note_freewheel(self, starts: bool) -> None:
        self._freewheels = bool(starts)

    def _is_in_track(self) -> bool:
        return self._begun > 0 and self._end < len(self._record)

    def _play(self, frames: int) -> None:
        out = self._out.get_array()
        out[...] = 0.0
        if self._freewheels and len(self._track):
            now = self._guitar.last_frame_time
            self._guitar_pace.note(now, frames, self._is_in_track())
            if not self._begun and self._guitar_pace.is_steady and self._recorder_pace.is_steady:
                self._begun = now
            if self._begun:
                part = self._track[now - self._begun :][:frames]
                out[: len(part)] = part

    def _listen(self, frames: int) -> None:
        # Blocks in real time between two tracks belong to neither.
        if self._freewheels:
            now = self._recorder.last_frame_time
            self._recorder_pace.note(now, frames, self._is_in_track())
            if self._begun:
                part = self._record[now - self._begun :][:frames]
                part[...] = self._in.get_array()[: len(part)]
                self._end = now - self._begun + frames


@contextmanager
def playing(server: JackServer, stuck_s: float = _STUCK_S) -> Iterator[Guitarist]:
    """A guitarist who is plugged in; a server that is stuck after so long is killed, and the test fails."""
    watchdog = threading.Timer(stuck_s, server.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        guitarist = Guitarist(server)
        try:
            guitarist.plug_in()
            yield guitarist
        finally:
            guitarist.close()
    finally:
        watchdog.cancel()


class Loop:
    """A client without ports that has connected PortAudio's output to its input, through ``pedal`` if given."""

    def __init__(self, server: JackServer, pedal: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None) -> None:
        import jack

        jack.set_error_function(lambda message: None)
        jack.set_info_function(lambda message: None)
        self._client = jack.Client("loop", no_start_server=True, servername=server.name)
        self._freewheels = False
        self._client.set_freewheel_callback(self._note_freewheel)
        ends = (f"{CLIENT}:in_0", f"{CLIENT}:out_0")
        if pedal:
            ours = self._client.inports.register("in"), self._client.outports.register("out")
            self._client.set_process_callback(lambda _: self._play(pedal, *ours))
        self._client.activate()
        wait_until(lambda: len(self._client.get_ports(f"{CLIENT}:out_")) > 0, "PortAudio's ports")
        for port in self._client.get_ports(f"{CLIENT}:"):
            wait_until(lambda port=port: len(self._client.get_all_connections(port)) > 0, f"{port.name}'s connection")
            for other in self._client.get_all_connections(port):
                self._client.disconnect(*((port, other) if port.is_output else (other, port)))
        if pedal:
            self._client.connect(ends[1], ours[0])
            self._client.connect(ours[1], ends[0])
        else:
            self._client.connect(ends[1], ends[0])

    @contextmanager
    def freewheel(self) -> Iterator[None]:
        """As fast as all clients can, without xruns; no client may leave meanwhile."""
        self._client.set_freewheel(True)
        wait_until(lambda: self._freewheels, "freewheel mode")
        try:
            yield
        finally:
            self._client.set_freewheel(False)
            wait_until(lambda: not self._freewheels, "the end of freewheel mode")

    def close(self) -> None:
        """The client leaves."""
        self._client.deactivate()
        self._client.close()

    def _note_freewheel(self, starts: bool) -> None:
        self._freewheels = bool(starts)

    def _play(self, pedal: Callable[[NDArray[np.float32]], NDArray[np.float32]], heard: Any, out: Any) -> None:
        out.get_array()[...] = pedal(heard.get_array())


@contextmanager
def storm(server: JackServer, rest_s: float) -> Iterator[None]:
    """A client that rests in each of its blocks: longer than a period, and all clients are told of an xrun."""
    import jack

    client = jack.Client("laggard", no_start_server=True, servername=server.name)
    client.set_process_callback(lambda _: time.sleep(rest_s))
    client.activate()
    try:
        yield
    finally:
        client.deactivate()
        client.close()


@contextmanager
def connect_loop(server: JackServer,
                 pedal: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None) -> Iterator[Loop]:
    """PortAudio's output goes back to its input, a period later, through ``pedal`` (block by block) if given."""
    watchdog = threading.Timer(_STUCK_S, server.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        loop = Loop(server, pedal)
        try:
            yield loop
        finally:
            loop.close()
    finally:
        watchdog.cancel()


def rendered_after_silence(engine: Engine, track: NDArray[np.float32], played: NDArray[np.float32],
                           heard: slice) -> NDArray[np.float32]:
    """``track`` (T,) through ``engine`` as through a live one that had played silence before, nobody knows how much.

    A network's answer to silence changes for seconds, in its last bits for ever, and with it all that comes later. How
    much it was is told by what the live one played to the silence at ``heard`` in the track. Integer networks may
    answer the same while their cells still change: then several lengths are tried.

    Args:
        engine: a second one of the same model. played: (T,), by the live one.

    Returns:
        From the start of ``heard`` on: what is equal to ``played`` if any length makes it so.
    """
    engine.reset()
    answer = stream(engine, np.zeros(6 * RATE_HZ, np.float32))
    length = heard.stop - heard.start
    starts = np.flatnonzero(answer[:-length] == played[heard.start])
    # The most likely first: run plays half a second before the first block, and a guitarist comes within a second.
    starts = starts[np.argsort(np.abs(starts - heard.start - RATE_HZ), kind="stable")]
    rendered, tried = np.zeros(0, np.float32), 0
    for start in map(int, starts):
        if tried < _MOST_TRIED and np.array_equal(answer[start : start + length], played[heard]):
            engine.reset()
            rendered = stream(engine, np.concatenate([np.zeros(start, np.float32), track[heard.start :]]))[start:]
            tried += 1
            if np.array_equal(rendered, played[heard.start :]):
                break
    assert tried, "what was played to silence is not what this engine plays to silence"
    return rendered
