"""A board at the other end of a line: asks one question at a time, asks again when nothing comes, and ends in time."""

import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.link.frame import Frame, FrameReader
from neuralpedal.firmware_bridge.link.messages import (
    BoardInfo,
    Controls,
    Event,
    Statistics,
    read_controls,
    read_event,
    read_hello,
    read_statistics,
)
from neuralpedal.firmware_bridge.link.port import Port, now_s, open_port
from neuralpedal.firmware_bridge.link.protocol import VERSION, Answer, Fault, Notice, Parameter, Request, Reset

TIMEOUT_S = 1.0
"""For an answer."""
ERASE_TIMES = 10
"""An answer that waits for flash to be erased may take so many times as long."""
TRIES = 4

_SEQUENCES = 1 << 16
_EVENTS_KEPT = 1024


class RefusalError(LinkError):
    """The board understood and refused. ``fault`` says why; ``detail`` depends on it."""

    def __init__(self, message: str, fault: int, detail: int) -> None:
        super().__init__(message)
        self.fault, self.detail = fault, detail


class Board:
    """A session with a board.

    Args:
        name: of its port, see :func:`open_port`. timeout_s: for an answer. connect: how the port is opened.

    Attributes:
        info: what the board said last. events: what came and was not taken yet, oldest first.
        lost_events: by their numbers, how many never came.

    Raises:
        LinkError: no port, no answer, or another protocol version.
    """

    def __init__(self, name: str, timeout_s: float = TIMEOUT_S, connect: Callable[[str], Port] = open_port) -> None:
        self._name, self._timeout_s, self._connect = name, timeout_s, connect
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.lost_events = 0
        self._next_event: int | None = None
        self._open()

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()

    def reconnect(self, timeout_s: float = 5.0) -> None:
        """Open the port again and begin a new session. Raises LinkError when that does not work in time."""
        deadline = now_s() + timeout_s
        while True:
            self._port.close()
            try:
                return self._open()
            except LinkError:
                if now_s() >= deadline:
                    raise

    def _open(self) -> None:
        self._port, self._reader = self._connect(self._name), FrameReader()
        self._sequence = random.randrange(_SEQUENCES)
        self._next_event = None
        try:
            self.hello()
        except LinkError:
            self._port.close()
            raise

    def hello(self) -> BoardInfo:
        """Begin a session, or ask again what the board is. Raises LinkError."""
        self.info = read_hello(self.ask(Request.HELLO))
        return self.info

    def select(self, slot: int) -> None:
        """Play a slot, now and after every start. Raises LinkError."""
        self.ask(Request.SELECT, bytes([slot]), erases=True)

    def reset(self, what: Reset = Reset.STATE) -> None:
        """Forget what was played, or start the board again. Raises LinkError."""
        self.ask(Request.RESET, bytes([what]))

    def play(self, samples: bytes) -> tuple[int, bytes]:
        """A block in the board's samples: its time, and the answer. Raises LinkError."""
        answer = self.ask(Request.BLOCK, samples)
        if len(answer) != 4 + len(samples):
            raise LinkError(f"{self._name}: a block of {len(samples)} bytes was answered with {len(answer)}; flash the "
                            "firmware of this version of neuralpedal")
        return int.from_bytes(answer[:4], "little"), answer[4:]

    def statistics(self, clear: bool = False) -> Statistics:
        """Raises LinkError."""
        return read_statistics(self.ask(Request.STATISTICS, bytes([clear])))

    def set_parameter(self, parameter: Parameter, value: int) -> None:
        """Raises LinkError, RefusalError for a value beyond its range."""
        self.ask(Request.PARAMETER, bytes([parameter]) + value.to_bytes(4, "little", signed=True))

    def set_light(self, index: int, on: bool) -> None:
        """Raises LinkError, RefusalError when there is none."""
        self.ask(Request.LIGHT, bytes([index, on]))

    def set_text(self, line: int, text: str) -> None:
        """The first 32 bytes of a line. Raises LinkError, RefusalError when there is no such line."""
        cut = text.encode()[:32].decode(errors="ignore")
        self.ask(Request.TEXT, bytes([line]) + cut.encode())

    def controls(self) -> Controls:
        """How switches and knobs stand. Raises LinkError."""
        return read_controls(self.ask(Request.CONTROLS))

    def wait_for_event(self, timeout_s: float) -> Event | None:
        """The oldest event, or None when none came in time. Raises LinkError when the line is gone."""
        deadline = now_s() + timeout_s
        while not self.events:
            left = deadline - now_s()
            if left <= 0:
                return None
            self._take(left)
        return self.events.popleft()

    def ask(self, request: Request, payload: bytes = b"", erases: bool = False) -> bytes:
        """The payload of the answer.

        Raises:
            RefusalError: the board says what is wrong. LinkError: no answer, whatever was tried.
        """
        self._sequence = (self._sequence + 1) % _SEQUENCES
        wire = Frame(request, self._sequence, payload).encode()
        wait_s = self._timeout_s * (ERASE_TIMES if erases else 1)
        for _ in range(TRIES):
            self._port.write(b"\0" + wire)
            deadline = now_s() + wait_s
            while (left := deadline - now_s()) > 0:
                for frame in self._take(left):
                    answer = self._answer_in(frame, request)
                    if answer is not None:
                        return answer
        raise LinkError(f"{self._name}: no answer to {request.name.lower()} in {TRIES} × {wait_s:g} s; is that the "
                        "board's port, and does its firmware speak the link?")

    def _take(self, timeout_s: float) -> list[Frame]:
        """Frames that came; events are put aside."""
        frames = []
        for frame in self._reader.take(self._port.read(timeout_s)):
            if frame.message == Notice.EVENT:
                with suppress(LinkError):
                    self._keep(read_event(frame.sequence, frame.payload))
            else:
                frames.append(frame)
        return frames

    def _keep(self, event: Event) -> None:
        if self._next_event is not None:
            gap = (event.number - self._next_event) % _SEQUENCES
            # An event that came twice, or late, has a number of the past.
            if gap >= _SEQUENCES // 2:
                return
            self.lost_events += gap
        self._next_event = (event.number + 1) % _SEQUENCES
        self.events.append(event)

    def _answer_in(self, frame: Frame, request: Request) -> bytes | None:
        if frame.sequence != self._sequence:
            return None
        if frame.message == Answer.ERROR and len(frame.payload) == 6:
            raise self._refusal(request, frame.payload[0], int.from_bytes(frame.payload[2:], "little"))
        if frame.version != VERSION:
            raise LinkError(f"{self._name}: speaks version {frame.version} of the protocol, here is {VERSION}; flash "
                            "the firmware of this version of neuralpedal")
        return frame.payload if frame.message == request | Answer.ANSWER else None

    def _refusal(self, request: Request, fault: int, detail: int) -> RefusalError:
        sentence = _SENTENCES.get(fault, f"fault {fault}, which is unknown here; update neuralpedal")
        return RefusalError(f"{self._name}: {request.name.lower()} was refused: {sentence}", fault, detail)


_SENTENCES: dict[int, str] = {
    Fault.VERSION: "it speaks another version of the protocol; flash the firmware of this version of neuralpedal",
    Fault.MESSAGE: "its firmware does not know this; flash the firmware of this version of neuralpedal",
    Fault.SIZE: "a message of a wrong length; flash the firmware of this version of neuralpedal",
    Fault.SEQUENCE: "another program talked to the board meanwhile; try again with the port to yourself",
    Fault.HELLO: "the board was started again meanwhile; try again",
    Fault.OFFSET: "a piece beyond the model's end; upload it again",
    Fault.CRC: "what arrived is not what was sent; upload it again",
    Fault.BLOB: "no model that it can read; update its firmware or neuralpedal",
    Fault.CAPACITY: "the model is too large, or of an arithmetic, rate or sample type that it does not play; see "
                    "neuralpedal link info",
    Fault.FLASH: "its flash could not be written; upload again, and if it stays so, the flash is worn out",
    Fault.SLOT: "no model in that slot; upload one first",
    Fault.IDLE: "no model plays, or no upload is under way; upload one first",
    Fault.VALUE: "there is no such parameter, light or line, or the value is beyond its range",
}
