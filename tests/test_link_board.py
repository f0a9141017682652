"""A session with a board, whatever the wire does to it: recovered, or a LinkError in time, and never a wrong model."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, trying_audio, write_pedal
from link_board import Damage, HostBoard, HostPort
from neuralpedal.contract.errors import LinkError
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.link.board import Board, RefusalError
from neuralpedal.firmware_bridge.link.frame import Frame, FrameReader
from neuralpedal.firmware_bridge.link.protocol import Answer, Control, Fault, Parameter, Request, Reset, Samples
from neuralpedal.firmware_bridge.link.uploading import upload
from neuralpedal.firmware_bridge.model_blob import ModelBlob, write_blob

pytestmark = pytest.mark.usefixtures("c_compiler")

Cli = Callable[..., tuple[int, str, str]]

DRY = trying_audio(96)


class Pedal:
    """A model in all the forms that a test wants."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.path = write_pedal(folder / f"{wanted.hidden_size}-{wanted.seed}.tflite", wanted).path
        self.blob: ModelBlob = write_blob(self.path, Samples.INT16)
        self.wet = ExpectedAudio(read_tflite(self.path)).play_int16(DRY)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> HostBoard:
    return HostBoard(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="module")
def pedals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pedal, Pedal]:
    folder = tmp_path_factory.mktemp("pedals")
    return Pedal(folder, Wanted("w8a16", 1, seed=1)), Pedal(folder, Wanted("w8a16", 9, 2, seed=2))


@pytest.fixture
def host(built: HostBoard) -> Iterator[HostBoard]:
    built.renew()
    yield built
    built.power(-1)


def connect(host: HostBoard, down: Damage = bytes, up: Damage = bytes, timeout_s: float = 0.03) -> Board:
    """A session over a wire."""
    return Board("host", timeout_s, lambda _: HostPort(host, down, up))


def played(board: Board) -> np.ndarray:
    """DRY, streamed from zero state in blocks of 48."""
    board.reset()
    return np.concatenate([np.frombuffer(board.play(DRY[at : at + 48].tobytes())[1], np.int16) for at in (0, 48)])


def test_a_board_says_what_it_is_and_plays_what_was_uploaded(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    assert (board.info.board, board.info.selected, board.info.block_samples) == ("host", None, 256)
    for pedal, slot in ((pedals[0], 0), (pedals[1], 1), (pedals[0], 0)):
        fractions: list[float] = []
        assert upload(board, pedal.blob, fractions.append).slot == slot
        assert board.info.playing and board.info.playing.digest == pedal.blob.digest
        np.testing.assert_array_equal(played(board), pedal.wet)
    # The other model lay in its slot still: nothing was sent for it.
    assert fractions == [] and board.info.slots[1].digest == pedals[1].blob.digest


def test_live_audio_plays_the_model_but_not_while_the_host_does(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    np.testing.assert_array_equal(host.play(DRY), DRY)
    upload(board, pedals[1].blob)
    np.testing.assert_array_equal(host.play(DRY), pedals[1].wet)
    played(board)
    np.testing.assert_array_equal(host.play(DRY), DRY)
    board.hello()
    board.reset()
    np.testing.assert_array_equal(host.play(DRY), pedals[1].wet)
    # A host that died gives the pedal back as well.
    board.play(DRY.tobytes())
    silence = np.zeros(96_000, np.int16)
    np.testing.assert_array_equal(host.play(silence[96:]), silence[96:])
    board.reset()
    np.testing.assert_array_equal(host.play(DRY), DRY)
    np.testing.assert_array_equal(host.play(DRY), pedals[1].wet)
    board.reset()
    board.set_parameter(Parameter.LEVEL, 16384)
    np.testing.assert_array_equal(host.play(DRY), pedals[1].wet >> 1)
    board.set_parameter(Parameter.ENGAGED, 0)
    np.testing.assert_array_equal(host.play(DRY), DRY)


def test_statistics_events_lights_and_text_go_their_ways(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    upload(board, pedals[0].blob)
    played(board)
    found = board.statistics(clear=True)
    assert (found.blocks, found.p50, found.maximum) == (2, 480, 480) and board.statistics().blocks == 0
    board.set_light(3, True)
    board.set_text(1, "Über-Fuzz " * 5)
    assert host.c.host_light(3) == 1
    assert host.c.host_text(1).decode() == ("Über-Fuzz " * 5).encode()[:32].decode(errors="ignore")
    for refused in (lambda: board.set_light(8, True), lambda: board.set_text(4, "x"),
                    lambda: board.set_parameter(Parameter.LEVEL, -1)):
        with pytest.raises(RefusalError) as error:
            refused()
        assert error.value.fault == Fault.VALUE


def test_events_arrive_in_order_and_lost_ones_are_counted(host: HostBoard) -> None:
    port = HostPort(host)
    board = Board("host", 0.03, lambda _: port)

    def move(*moves: tuple[int, int]) -> None:
        for index, pressed in moves:
            host.c.host_switch(index, pressed)

    move((0, 1), (0, 1), (2, 1), (0, 0))
    host.c.host_knob(1, 700)
    board.controls()
    found = [board.wait_for_event(0.0) for _ in range(4)]
    assert [(one.control, one.index, one.value) for one in found if one] == [
        (Control.FOOTSWITCH, 0, 1), (Control.FOOTSWITCH, 2, 1), (Control.FOOTSWITCH, 0, 0), (Control.KNOB, 1, 700)]
    move((0, 1))
    host.take(b"")  # that one is lost
    move((0, 0))
    standing = board.controls()
    assert board.lost_events == 1 and len(board.events) == 1
    assert standing.footswitches[:3] == (False, False, True) and standing.knobs[1] == 700


def test_monitor_prints_what_feet_do(host: HostBoard, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def stamp(answer: bytes) -> bytes:
        """A switch and a knob move behind the answer to the first question after hello."""
        if answer[1:].startswith(bytes([1, Request.CONTROLS | Answer.ANSWER])):
            host.c.host_switch(2, 1)
            host.c.host_knob(0, 65535)
        return answer + host.take(b"")

    monkeypatch.setattr("neuralpedal.firmware_bridge.link.board.Board",
                        lambda port, timeout_s: Board(port, timeout_s, lambda _: HostPort(host, up=stamp)))
    code, text, _ = cli("link", "--port", "host", "monitor", "--events", 2)
    assert code == 0 and text.splitlines() == ["footswitch 2: pressed", "knob 0: 1.000"]
    host.c.host_switch(2, 0)
    host.c.host_knob(0, 0)
    host.take(b"")
    code, text, _ = cli("link", "--port", "host", "monitor", "--events", 2, "--json")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"number": 4, "control": "footswitch", "index": 2, "value": 1},
        {"number": 5, "control": "knob", "index": 0, "value": 65535}]
    code, text, _ = cli("link", "--port", "host", "info")
    assert code == 0 and "host, firmware tests" in text and "empty, 65,536 bytes" in text


def test_a_question_that_comes_twice_is_done_once(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    upload(board, pedals[1].blob)
    twice = connect(host, down=lambda data: data * 2)
    np.testing.assert_array_equal(played(twice), pedals[1].wet)


def test_a_late_question_of_before_does_nothing(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    sent: list[bytes] = []
    upload(connect(host), pedals[1].blob)

    def keep(data: bytes) -> bytes:
        sent.append(data)
        return (sent[-3] if len(sent) > 3 else b"") + data

    np.testing.assert_array_equal(played(connect(host, down=keep)), pedals[1].wet)


def test_a_board_that_was_reset_wants_to_be_greeted_again(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    upload(board, pedals[0].blob)
    board.reset(Reset.BOARD)
    with pytest.raises(RefusalError, match="started again") as error:
        board.statistics()
    assert error.value.fault == Fault.HELLO
    board.reconnect()
    np.testing.assert_array_equal(played(board), pedals[0].wet)


def test_an_upload_goes_on_after_a_reset_and_after_a_line_that_broke(host: HostBoard,
                                                                     pedals: tuple[Pedal, Pedal]) -> None:
    ports: list[HostPort] = []
    after = {"count": 0}

    def count(data: bytes) -> bytes:
        after["count"] += 1
        if after["count"] == 6:
            host.start()  # a reset in the middle: the page that was being written is sent again
        if after["count"] == 11:
            ports[-1].is_cut = True  # the cable: it goes on where it was
        return data

    def open_one(_: str) -> HostPort:
        ports.append(HostPort(host, down=count))
        return ports[-1]

    board = Board("host", 0.03, open_one)
    done = upload(board, pedals[1].blob)
    assert done.resumptions == 2 and len(ports) == 3
    np.testing.assert_array_equal(played(board), pedals[1].wet)


def started(host: HostBoard, blob: ModelBlob, chunks: int) -> None:
    """An upload of so many chunks, then a reset."""
    assert ask(host, 1, Request.HELLO) is not None
    for number, step in enumerate(upload_steps(blob)[1 : 2 + chunks]):
        assert ask(host, 2 + number, *step) is not None
    host.start()


@pytest.mark.parametrize(("chunks", "kept"), [(0, 0), (1, 0), (2, 0), (3, 1024), (4, 1024), (6, 2048)])
def test_after_a_reset_a_new_host_sends_only_what_the_flash_does_not_hold(host: HostBoard, chunks: int, kept: int,
                                                                          pedals: tuple[Pedal, Pedal]) -> None:
    upload(connect(host), pedals[0].blob)
    started(host, pedals[1].blob, chunks)
    board = connect(host)
    assert board.info.playing and board.info.playing.digest == pedals[0].blob.digest
    assert upload(board, pedals[1].blob).sent_bytes == len(pedals[1].blob.content) - kept
    np.testing.assert_array_equal(played(board), pedals[1].wet)


def test_what_a_reset_left_is_not_believed_when_it_is_wrong(host: HostBoard, pedals: tuple[Pedal, Pedal]) -> None:
    upload(connect(host), pedals[0].blob)
    started(host, pedals[1].blob, 4)
    torn = bytearray(host.flash())
    torn[2 * 1024 + 64 * 1024 + 700] ^= 1  # in the page that would be kept
    host.set_flash(bytes(torn))
    board = connect(host)
    done = upload(board, pedals[1].blob)
    # The commit found it, and all was sent again.
    assert done.resumptions == 1 and done.sent_bytes == 2 * len(pedals[1].blob.content) - 1024
    np.testing.assert_array_equal(played(board), pedals[1].wet)


def test_the_beginning_of_another_model_is_not_kept(host: HostBoard, pedals: tuple[Pedal, Pedal],
                                                    tmp_path: Path) -> None:
    other = Pedal(tmp_path, Wanted("w8a16", 9, 2, seed=3))
    assert len(other.blob.content) == len(pedals[1].blob.content)
    started(host, other.blob, 4)
    board = connect(host)
    assert upload(board, pedals[1].blob).sent_bytes == len(pedals[1].blob.content)
    np.testing.assert_array_equal(played(board), pedals[1].wet)


def test_a_cable_that_stays_out_is_a_link_error_and_the_old_model_plays(host: HostBoard,
                                                                        pedals: tuple[Pedal, Pedal]) -> None:
    upload(connect(host), pedals[0].blob)
    port = HostPort(host)
    board = Board("host", 0.02, lambda _: port)
    board.reconnect = lambda timeout_s=0.0: Board._open(board)  # type: ignore[method-assign]
    port._down = lambda data: (setattr(port, "is_cut", True), data[:20])[1]
    with pytest.raises(LinkError, match=r"line is gone"):
        upload(board, pedals[1].blob)
    host.start()
    np.testing.assert_array_equal(played(connect(host)), pedals[0].wet)


def test_a_port_without_a_board_is_a_link_error() -> None:
    class Deaf:
        name = "deaf"

        def write(self, data: bytes) -> None:
            self.heard = data

        def read(self, timeout_s: float) -> bytes:
            return b"login: "

        def close(self) -> None:
            self.heard = b""

    with pytest.raises(LinkError, match="no answer to hello"):
        Board("deaf", 0.005, lambda _: Deaf())


def damaging(seed: int, rate: float) -> Damage:
    """Drops, doubles, swaps, flips and cuts off bytes, now and then."""
    chance = random.Random(seed)

    def damage(data: bytes) -> bytes:
        if not data or chance.random() > rate:
            return data
        place, kind = chance.randrange(len(data)), chance.randrange(5)
        head, byte, tail = data[:place], data[place : place + 1], data[place + 1 :]
        return [head + tail, head + byte + byte + tail, head + tail[:1] + byte + tail[1:],
                head + bytes([byte[0] ^ 1 << chance.randrange(8)]) + tail, head][kind]

    return damage


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 9999), st.sampled_from([0.05, 0.3, 0.9]))
def test_a_wire_that_damages_ends_in_the_right_model_or_in_a_link_error(built: HostBoard, pedals: tuple[Pedal, Pedal],
                                                                        seed: int, rate: float) -> None:
    built.renew()
    upload(connect(built), pedals[0].blob)
    expected = pedals[0]
    try:
        board = connect(built, damaging(seed, rate), damaging(seed + 1, rate), timeout_s=0.004)
        board.reconnect = lambda timeout_s=0.0: Board._open(board)  # type: ignore[method-assign]
        upload(board, pedals[1].blob)
        expected = pedals[1]
    except LinkError:
        pass
    afterwards = connect(built)
    playing = afterwards.info.playing
    assert playing is not None
    if expected is pedals[0] and playing.digest == pedals[1].blob.digest:
        expected = pedals[1]  # selected, and the answer was lost
    assert playing.digest == expected.blob.digest
    np.testing.assert_array_equal(played(afterwards), expected.wet)


def ask(host: HostBoard, sequence: int, request: Request, payload: bytes = b"") -> bytes | None:
    """The payload of the answer, None for a refusal; without what Board adds."""
    frame = next(FrameReader().take(host.take(Frame(request, sequence, payload).encode())))
    return None if frame.message == Answer.ERROR else frame.payload


def upload_steps(blob: ModelBlob) -> list[tuple[Request, bytes]]:
    """From hello to the select of slot 1."""
    crc = blob.crc.to_bytes(4, "little")
    steps = [(Request.HELLO, b""), (Request.UPLOAD, len(blob.content).to_bytes(4, "little") + crc)]
    steps += [(Request.CHUNK, at.to_bytes(4, "little") + blob.content[at : at + 512])
              for at in range(0, len(blob.content), 512)]
    return [*steps, (Request.COMMIT, crc), (Request.SELECT, b"\1")]


def bare_upload(host: HostBoard, blob: ModelBlob) -> bool:
    """Everything, up to the first refusal."""
    return all(ask(host, number, *step) is not None for number, step in enumerate(upload_steps(blob)))


@pytest.mark.parametrize("records", [0, 31])
def test_power_that_goes_at_any_byte_leaves_the_old_model_or_the_new_one(host: HostBoard, records: int,
                                                                         pedals: tuple[Pedal, Pedal],
                                                                         tmp_path: Path) -> None:
    old, new = pedals[0], Pedal(tmp_path, Wanted("w8a16", 2, seed=5))
    board = connect(host)
    upload(board, old.blob)
    upload(board, pedals[1].blob)
    board.select(0)
    # These were 5 records. With a page of them that is full, its neighbour is erased between commit and select.
    for _ in range((records - 5) // 2 if records else 0):
        board.select(1)
        board.select(0)
    before, found = host.flash(), set()
    for position in range(10**6):
        host.set_flash(before)
        host.power(-1)
        host.start()
        host.power(position)
        finished = bare_upload(host, new.blob)
        host.power(-1)
        host.start()
        after = connect(host)
        assert after.info.playing is not None, position
        model = next(one for one in (old, new) if one.blob.digest == after.info.playing.digest)
        assert model is new if finished else True, position
        found.add(model is new)
        if position % 16 == 0 or finished:
            np.testing.assert_array_equal(played(after), model.wet)
        if finished:
            break
    written = -(-len(new.blob.content) // 32) * 32 + 2 * 32
    assert found == {False, True} and position == 1024 + written + (1024 if records else 0)


def test_a_flash_that_forgot_the_selected_model_plays_the_other_one(host: HostBoard,
                                                                    pedals: tuple[Pedal, Pedal]) -> None:
    board = connect(host)
    upload(board, pedals[1].blob)
    upload(board, pedals[0].blob)
    aged = bytearray(host.flash())
    aged[2 * 1024 + 64 * 1024 + 140] ^= 4  # in slot 1, which plays
    host.set_flash(bytes(aged))
    host.start()
    np.testing.assert_array_equal(played(connect(host)), pedals[1].wet)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=40)), max_size=12))
def test_no_message_stops_a_board(built: HostBoard, questions: list[tuple[int, bytes]]) -> None:
    built.renew()
    built.take(Frame(Request.HELLO, 0).encode())
    for number, (message, payload) in enumerate(questions):
        for frame in FrameReader().take(built.take(Frame(message, number + 1, payload).encode())):
            assert frame.sequence == number + 1
    assert connect(built).info.board == "host"
