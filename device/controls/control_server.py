"""The Unix socket of a running pedal: scripts and other programs of its owner, several at once.

Everything is bounded: clients, the length of a line, what waits to be read by a client, and lines a second, so that who
hangs or floods is slowed down or shown out, and the music does not notice.
"""

import fcntl
import json
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from neuralpedal.contract.errors import ControlError, SpecError
from neuralpedal.device.action import parse_action
from neuralpedal.device.controls.action_queue import Order
from neuralpedal.device.controls.control_socket import LONGEST_ANSWER, LONGEST_LINE, STATUS, WATCH
from neuralpedal.device.controls.source import IDLE_S

MOST_CLIENTS = 8
_LINES, _TURN_S = 8, 0.02
"""So many lines are answered in so many seconds, of all clients together."""

_WATCH_S = 0.1
_LONGEST_SILENCE_S = 30.0
"""A client that asks nothing for so long makes room for others, as one that watches and does not read."""


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        self.connection, self.heard_s = connection, now_s
        self.incoming, self.outgoing = b"", b""
        self.watches, self.is_over = False, False
        self.seen = ""

    def send(self, message: dict[str, Any]) -> None:
        """As much as the client takes now; the rest waits, up to a bound."""
        self.outgoing += json.dumps(message, allow_nan=False).encode() + b"\n"
        if len(self.outgoing) > 2 * LONGEST_ANSWER:
            self.is_over = True
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        try:
            if self.outgoing:
                self.outgoing = self.outgoing[self.connection.send(self.outgoing) :]
        except BlockingIOError:
            return
        except OSError:
            self.is_over = True


class ControlServer:
    """Listens at ``path``, readable and writable for its owner alone.

    Args:
        order: puts an order into the queue; False if it is full. status: JSON-able.

    Attributes:
        path: of the socket.

    Raises:
        ControlError: another pedal listens there, or nobody can.
    """

    name = "ctl"

    def __init__(self, path: Path, order: Callable[[Order], bool], status: Callable[[], dict[str, Any]]) -> None:
        self.path, self._order, self._status = path, order, status
        self._clients: list[_Client] = []
        self._rests_until_s = 0.0
        self._lock = _lock(path)
        try:
            self._listener = _listen(path)
        except OSError as error:
            os.close(self._lock)
            if isinstance(error, ControlError):
                raise
            raise ControlError(f"{path}: cannot listen there ({error.strerror or error}); choose another --socket"
                               ) from error

    def descriptors(self) -> list[int]:
        """The socket and all clients; none while they have had their share."""
        if self._rests_until_s:
            return []
        return [self._listener.fileno(), *(client.connection.fileno() for client in self._clients)]

    def tend(self, now_s: float) -> float:
        """Let clients in, answer them, tell those who watch."""
        if now_s >= self._rests_until_s:
            self._rests_until_s = 0.0
            budget = self._answer(now_s, self._let_in(now_s, _LINES))
            if budget <= 0:
                self._rests_until_s = now_s + _TURN_S
        self._tell_watchers()
        for client in self._clients:
            client.flush()
            if client.watches and not client.outgoing:
                client.heard_s = now_s
            if now_s - client.heard_s > _LONGEST_SILENCE_S:
                client.is_over = True
        for client in [client for client in self._clients if client.is_over]:
            client.connection.close()
            self._clients.remove(client)
        if self._rests_until_s or any(client.outgoing for client in self._clients):
            return _TURN_S
        return _WATCH_S if any(client.watches for client in self._clients) else IDLE_S

    def close(self) -> None:
        """Show all clients out and remove the socket."""
        for client in self._clients:
            client.connection.close()
        self._listener.close()
        with suppress(OSError):
            self.path.unlink()
        os.close(self._lock)

    def _let_in(self, now_s: float, budget: int) -> int:
        while budget > 0:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            budget -= 1
            connection.setblocking(False)
            client = _Client(connection, now_s)
            if len(self._clients) < MOST_CLIENTS:
                self._clients.append(client)
            else:
                client.send(_refusal(f"{MOST_CLIENTS} clients are connected already; try again later", False))
                connection.close()
        return budget

    def _answer(self, now_s: float, budget: int) -> int:
        for client in list(self._clients):
            self._read(client, now_s)
        # Fair: a line of each before a second one of any.
        while budget > 0:
            waiting = [client for client in self._clients if b"\n" in client.incoming and not client.is_over]
            if not waiting:
                break
            for client in waiting[:budget]:
                line, _, client.incoming = client.incoming.partition(b"\n")
                budget -= 1
                self._obey(client, line)
        return budget

    def _read(self, client: _Client, now_s: float) -> None:
        if len(client.incoming) > 2 * LONGEST_LINE:
            # Enough for some turns; the rest waits in the client's own socket.
            return
        try:
            found = client.connection.recv(2 * LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            found = b""
        client.heard_s = now_s
        client.incoming += found
        if not found and b"\n" not in client.incoming:
            client.is_over = True
        elif b"\n" not in client.incoming and len(client.incoming) > LONGEST_LINE:
            client.send(_refusal(f"a line of more than {LONGEST_LINE} bytes; send one action per line", True))
            client.is_over = True

    def _obey(self, client: _Client, line: bytes) -> None:
        try:
            text = line.decode().strip()
            if text == STATUS:
                client.send(self._done(text))
            elif text == WATCH:
                client.watches = True
            else:
                self._ask(client, text)
        except UnicodeDecodeError as error:
            client.send(_refusal(f"byte {line[error.start]:#04x} is no UTF-8; send text", True))
        except SpecError as error:
            more = f", `{STATUS}`, `{WATCH}`" if "possible are" in str(error) else ""
            client.send(_refusal(f"{error}{more}", True))

    def _ask(self, client: _Client, text: str) -> None:
        def answer(error: Exception | None) -> None:
            if error is None:
                client.send(self._done(text))
            else:
                client.send(_refusal(str(error), isinstance(error, SpecError)))

        if not self._order(Order(parse_action(text), self.name, answer)):
            client.send(_refusal("the pedal is busy and has dropped this; try again", False))

    def _done(self, text: str) -> dict[str, Any]:
        return {"ok": True, "done": text, "status": self._status()}

    def _tell_watchers(self) -> None:
        watching = [client for client in self._clients if client.watches and not client.outgoing]
        if watching:
            message = self._done(WATCH)
            seen = json.dumps(message)
            for client in watching:
                if client.seen != seen:
                    client.seen = seen
                    client.send(message)


def _refusal(error: str, usage: bool) -> dict[str, Any]:
    return {"ok": False, "error": error, "usage": usage}


def _lock(path: Path) -> int:
    """Whoever holds it listens; the kernel lets go of it when a process dies. Raises ControlError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.parent.stat()
        if found.st_uid != os.getuid() and stat.S_ISDIR(found.st_mode) and path.parent.name.startswith("neuralpedal-"):
            raise ControlError(f"{path.parent}: belongs to somebody else; choose another --socket")
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except ControlError:
        raise
    except OSError as error:
        raise ControlError(f"{path}: cannot be made ({error.strerror}); choose another --socket") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ControlError(f"{path}: another pedal listens there; end it, or give this one a --socket of its own"
                           ) from error
    return lock


def _listen(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlError(f"{path}: there is a file, and no socket; choose another --socket")
        # Its lock is ours: whoever listened there is gone.
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before it has a name, so that it is never anybody else's.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MOST_CLIENTS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
