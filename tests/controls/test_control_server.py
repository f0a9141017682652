"""The socket of a running pedal: its owner alone, bounded in everything, tended by hand on a clock of the test."""

import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuralpedal.contract.errors import ControlError, SpecError
from neuralpedal.device.controls.action_queue import Order
from neuralpedal.device.controls.control_server import MOST_CLIENTS, ControlServer
from neuralpedal.device.controls.control_socket import places_to_look, socket_path


class Rig:
    """A server whose pedal refuses preset 9, and its clients."""

    def __init__(self, path: Path) -> None:
        self.now_s, self.full, self.value = 0.0, False, 0
        self.done: list[str] = []
        self.server = ControlServer(path, self.order, lambda: {"value": self.value})
        self.clients: list[socket.socket] = []

    def order(self, order: Order) -> bool:
        if self.full:
            return False
        assert order.answer is not None
        refused = order.action.target == "9"
        if not refused:
            self.done.append(str(order.action))
        order.answer(SpecError("no preset '9'") if refused else None)
        return True

    def client(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(5.0)
        made.connect(str(self.server.path))
        self.clients.append(made)
        self.tend()
        return made

    def tend(self, times: int = 1, step_s: float = 0.03) -> None:
        for _ in range(times):
            self.now_s += step_s
            self.server.tend(self.now_s)

    def ask(self, client: socket.socket, data: bytes) -> dict:
        client.sendall(data)
        self.tend(2)
        return answers(client)[0]


def answers(client: socket.socket) -> list[dict]:
    client.setblocking(False)
    data = b""
    try:
        while piece := client.recv(1 << 16):
            data += piece
    except OSError:
        pass
    client.settimeout(5.0)
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "own" / "ctl.sock")
    yield made
    made.server.close()
    for client in made.clients:
        client.close()


def test_actions_are_done_and_answered_and_wrong_ones_are_named(rig):
    client = rig.client()
    assert rig.ask(client, b"bypass toggle\n") == {"ok": True, "done": "bypass toggle", "status": {"value": 0}}
    assert rig.ask(client, b"status\r\n")["status"] == {"value": 0}
    assert rig.ask(client, b"preset 9\n") == {"ok": False, "error": "no preset '9'", "usage": True}
    wrong = rig.ask(client, b"explode\n")
    assert not wrong["ok"] and wrong["usage"]
    assert "`bypass on|off|toggle`" in wrong["error"] and "`watch`" in wrong["error"]
    assert "no UTF-8" in rig.ask(client, b"preset \xff\n")["error"]
    rig.full = True
    assert rig.ask(client, b"save\n") == {"ok": False, "error": "the pedal is busy and has dropped this; try again",
                                          "usage": False}
    assert rig.done == ["bypass toggle"]


def test_a_line_may_come_in_pieces_and_several_at_once(rig):
    client = rig.client()
    client.sendall(b"byp")
    rig.tend(3)
    assert answers(client) == []
    client.sendall(b"ass on\nmute on\nmute off\n")
    rig.tend(2)
    assert rig.done == ["bypass on", "mute on", "mute off"] and len(answers(client)) == 3


def test_a_line_without_an_end_is_refused_and_its_client_shown_out(rig):
    client = rig.client()
    client.sendall(b"x" * 5000)
    rig.tend(3)
    assert "more than 1024 bytes" in answers(client)[0]["error"]
    assert client.recv(100) == b"" if _is_open(client) else True
    assert "no action" in rig.ask(rig.client(), b"hello\n")["error"]


def _is_open(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        return False
    return True


def test_there_are_eight_clients_at_most_and_one_that_leaves_makes_room(rig):
    clients = [rig.client() for _ in range(MOST_CLIENTS)]
    ninth = rig.client()
    assert "8 clients are connected already" in answers(ninth)[0]["error"]
    clients[0].close()
    rig.tend(2)
    assert rig.ask(rig.client(), b"status\n")["ok"]


def test_a_client_that_floods_is_slowed_down_and_the_others_are_answered_in_turn(rig):
    flood, other = rig.client(), rig.client()
    flood.sendall(b"mute on\n" * 1000)
    other.sendall(b"save\n")
    rig.tend()
    assert rig.done.count("save") == 1 and 1 <= rig.done.count("mute on") <= 8
    assert rig.server.descriptors() == [], "it must not be woken by the flood"
    before = len(rig.done)
    for _ in range(1000):
        rig.server.tend(rig.now_s + 1e-3)
    assert len(rig.done) == before
    rig.tend()
    assert len(rig.done) - before == 8


def test_a_watcher_is_told_at_once_and_after_every_change_and_nothing_else(rig):
    client = rig.client()
    assert rig.ask(client, b"watch\n")["status"] == {"value": 0}
    rig.tend(10)
    assert answers(client) == []
    rig.value = 5
    rig.tend(10)
    assert [answer["status"] for answer in answers(client)] == [{"value": 5}]


def test_a_watcher_that_does_not_read_is_shown_out_and_one_that_reads_may_stay(rig):
    deaf, reader = rig.client(), rig.client()
    rig.ask(reader, b"watch\n")
    deaf.sendall(b"watch\n")
    for value in range(4000):
        rig.value = "x" * 1000 + str(value)
        rig.tend()
        answers(reader)
    assert len(rig.server._clients) == 1
    assert rig.ask(reader, b"status\n")["ok"]


def test_a_client_that_says_nothing_makes_room_after_half_a_minute(rig):
    rig.client()
    rig.tend(9, 3.0)
    assert len(rig.server._clients) == 1
    rig.tend(3, 3.0)
    assert rig.server._clients == []


def test_the_socket_is_its_owners_alone_and_goes_with_the_pedal(tmp_path):
    server = Rig(tmp_path / "own" / "ctl.sock").server
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700
    server.close()
    assert not server.path.exists()


def test_a_socket_whose_pedal_died_is_replaced_and_a_live_one_refused(tmp_path):
    path = tmp_path / "ctl.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    rig = Rig(path)
    assert rig.ask(rig.client(), b"status\n")["ok"]
    with pytest.raises(ControlError, match="another pedal listens there"):
        Rig(path)
    assert rig.ask(rig.client(), b"status\n")["ok"], "the first one still does"
    rig.server.close()
    Rig(path).server.close()


def test_what_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "ctl.sock"
    path.write_text("diary")
    with pytest.raises(ControlError, match="there is a file, and no socket"):
        Rig(path)
    assert path.read_text() == "diary"
    path.unlink()
    Rig(path).server.close()


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("NEURALPEDAL_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert socket_path() == Path("/run/user/1000/neuralpedal/ctl.sock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert socket_path().parent.name == f"neuralpedal-{os.getuid()}"
    monkeypatch.setenv("NEURALPEDAL_SOCKET", "/run/pedal.sock")
    assert socket_path() == Path("/run/pedal.sock") and socket_path(tmp_path / "a") == tmp_path / "a"
    with pytest.raises(SpecError, match="wanted 107 at most"):
        socket_path(Path("/tmp") / ("x" * 200))


def test_ctl_looks_for_its_users_pedal_then_for_the_services_and_for_no_other_than_one_that_was_named(
        monkeypatch, tmp_path):
    monkeypatch.delenv("NEURALPEDAL_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert list(places_to_look()) == [Path("/run/user/1000/neuralpedal/ctl.sock"), Path("/run/neuralpedal/ctl.sock")]
    assert list(places_to_look(tmp_path / "a")) == [tmp_path / "a"]
    monkeypatch.setenv("NEURALPEDAL_SOCKET", "/run/pedal.sock")
    assert list(places_to_look()) == [Path("/run/pedal.sock")]


def test_a_client_that_asks_and_does_not_read_is_shown_out_before_much_waits_for_it(rig):
    rig.value = "x" * 60_000
    client = rig.client()
    client.sendall(b"status\n" * 64)
    rig.tend(20)
    assert not rig.server._clients
