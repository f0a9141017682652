"""Brings a model into a board's free slot, whatever happens to the line meanwhile, and makes it play."""

from collections.abc import Callable
from dataclasses import dataclass

from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.link.board import Board, RefusalError
from neuralpedal.firmware_bridge.link.messages import BoardInfo, Slot
from neuralpedal.firmware_bridge.link.protocol import CHUNK_BYTES, Fault, Request
from neuralpedal.firmware_bridge.model_blob import ModelBlob

RESUMPTIONS = 3
"""How often a broken upload goes on by itself."""


@dataclass(frozen=True)
class Upload:
    """``slot``: where it lies now. ``sent_bytes``: without what the board had already; ``resumptions``: see above."""

    slot: int
    size_bytes: int
    sent_bytes: int
    resumptions: int


def check_fit(blob: ModelBlob, info: BoardInfo) -> None:
    """Raises LinkError for a model that this board cannot hold or play, as far as that is known before it is sent."""
    if len(blob.content) > info.slot_bytes:
        raise LinkError(f"{blob.name}: {len(blob.content):,} bytes, but a slot of {info.board} has {info.slot_bytes:,}"
                        "; train a smaller network")
    if blob.arithmetic not in info.arithmetics:
        raise LinkError(f"{blob.name}: is computed as {blob.arithmetic.name.lower()}, but {info.board} plays "
                        f"{', '.join(one.name.lower() for one in info.arithmetics)} only; convert it to such a scheme")


def upload(board: Board, blob: ModelBlob, report: Callable[[float], None] = lambda _: None) -> Upload:
    """Send, commit, select, and see that the board plays it. The former model stays in the other slot.

    A broken line, a reset board: the line is opened again and the upload goes on, ``RESUMPTIONS`` times.

    Raises:
        LinkError: it does not fit, or the line stays broken; the board then plays what it played before.
    """
    check_fit(blob, board.info)
    sent, resumptions = 0, 0
    while True:
        try:
            slot, count = _send(board, blob, report)
            sent += count
            board.ask(Request.COMMIT, blob.crc.to_bytes(4, "little"), erases=True)
            board.select(slot)
            break
        except LinkError as error:
            refused = isinstance(error, RefusalError) and error.fault not in _PASSING
            if refused or resumptions == RESUMPTIONS:
                raise
            resumptions += 1
            board.reconnect()
    _check(board.hello().playing, blob, slot, board.info)
    return Upload(slot, len(blob.content), sent, resumptions)


def _send(board: Board, blob: ModelBlob, report: Callable[[float], None]) -> tuple[int, int]:
    """All that the board does not have yet: its slot, and how many bytes that were."""
    total, sent = len(blob.content), 0
    announced = total.to_bytes(4, "little") + blob.crc.to_bytes(4, "little")
    answer = board.ask(Request.UPLOAD, announced, erases=True)
    slot, place = answer[0], int.from_bytes(answer[1:], "little")
    while place < total:
        piece = blob.content[place : place + CHUNK_BYTES]
        answer = board.ask(Request.CHUNK, place.to_bytes(4, "little") + piece)
        reached = int.from_bytes(answer, "little")
        if reached != place + len(piece):
            raise LinkError(f"{blob.name}: the board is at byte {reached}, not at {place + len(piece)}; upload "
                            "it again")
        place, sent = reached, sent + len(piece)
        report(place / total)
    return slot, sent


def _check(playing: Slot | None, blob: ModelBlob, slot: int, info: BoardInfo) -> None:
    """Never a wrong model."""
    if info.selected != slot or playing is None or (playing.crc, playing.digest) != (blob.crc, blob.digest):
        found = playing.name if playing else "nothing"
        raise LinkError(f"{blob.name}: uploaded, but the board plays {found}; upload it again")


_PASSING = frozenset({Fault.HELLO, Fault.SEQUENCE, Fault.IDLE, Fault.CRC, Fault.FLASH})
"""What another attempt may mend."""
