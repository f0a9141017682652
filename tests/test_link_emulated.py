"""The link end to end: an emulated Cortex-M7 on a socket and on a pseudo-terminal, driven by the command line."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_pedals import Wanted, need, write_pedal
from neuralpedal.contract.errors import LinkError
from neuralpedal.contract.manifest import FLOAT_SCHEMES
from neuralpedal.firmware_bridge.link.board import Board
from neuralpedal.firmware_bridge.link.emulated_board import build_firmware, start_emulator
from neuralpedal.firmware_bridge.link.protocol import Request, Reset, Samples
from neuralpedal.firmware_bridge.link.uploading import upload
from neuralpedal.firmware_bridge.link.verifying import verify_board
from neuralpedal.firmware_bridge.model_blob import write_blob

Cli = Callable[..., tuple[int, str, str]]


# Each kind of samples over one kind of line: four pairs would show nothing more.
@pytest.fixture(scope="module", params=[True, False], ids=["int16 on a socket", "float on a terminal"])
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Samples]:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    samples = Samples.INT16 if request.param else Samples.FLOAT
    return build_firmware(tmp_path_factory.mktemp("firmware"), request.param), samples


class Emulator:
    """A running board; ``port``: where it is, as soon as QEMU says that somebody may come."""

    def __init__(self, program: Path, serial: str) -> None:
        self._process = start_emulator(program, serial)
        assert self._process.stdout
        self._told = self._process.stdout
        line = self._told.readline().decode()
        terminal = re.search(r"/dev/\S+", line)
        assert terminal or "waiting for connection" in line, line
        self.port = terminal[0] if terminal else "unix:" + serial.removeprefix("unix:").partition(",")[0]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._told.close()


@pytest.fixture
def port(firmware: tuple[Path, Samples], tmp_path: Path) -> Iterator[str]:
    program, samples = firmware
    emulator = Emulator(program, "pty" if samples == Samples.FLOAT else f"unix:{tmp_path}/board.sock,server=on,wait=on")
    try:
        yield emulator.port
    finally:
        emulator.stop()


def test_upload_verify_select_and_profile_from_the_command_line(port: str, firmware: tuple[Path, Samples],
                                                                tmp_path: Path, cli: Cli) -> None:
    def link(*arguments: object) -> dict[str, Any]:
        code, text, errors = cli("link", "--port", port, *arguments, "--json")
        assert code == 0, errors
        found: dict[str, Any] = json.loads(text)
        return found

    is_int16 = firmware[1] == Samples.INT16
    assert link("info")["slots"][0]["valid"] is False
    integer = write_pedal(tmp_path / "integer.tflite", Wanted("w8a16", 7, 2, seed=3)).path
    floating = write_pedal(tmp_path / "floating.tflite", Wanted("w8", 6, seed=4)).path
    assert link("upload", floating)["slot"] == 0
    found = link("verify", floating, "--samples", 150)
    assert found["passed"] and found["max_abs_difference"] <= (1 / 32768 if is_int16 else 1e-5)
    assert link("upload", integer)["slot"] == 1
    found = link("verify", integer, "--samples", 200)
    assert found["passed"] and found["max_abs_difference"] == 0.0 and found["samples"] == 200
    assert found["counter"] == "instructions" and 1000 < found["counts_per_sample"] < 10000
    assert found["share_of_sample_period"] > 0.0 and found["stack_bytes"] > 100
    rows = link("profile", "--hidden", "4,8", "--blocks", "1,16")["rows"]
    assert [(row["hidden_size"], row["block_samples"]) for row in rows] == [(4, 1), (4, 16), (8, 1), (8, 16)]
    assert rows[1]["counts_per_sample"] < rows[3]["counts_per_sample"]
    assert rows[1]["counts_per_sample"] < rows[0]["counts_per_sample"]
    info = link("info")
    assert info["selected"] == 1 and info["slots"][1]["name"] == "test"
    with Board(port) as board:
        board.select(0)
        board.reset(Reset.BOARD)
        board.reconnect()
        assert board.info.selected == 0 and board.info.slots[1].valid
        board.set_light(7, True)
        event = board.wait_for_event(5.0)
        assert event and (event.index, event.value) == (7, 1)
    code, _, errors = cli("link", "--port", port, "verify", integer)
    assert code == 1 and "is not what mps2-an500 plays" in errors


def check_on_board(wanted: Wanted, port: str, samples: Samples, folder: Path) -> None:
    """Upload and verify it."""
    model = write_pedal(folder / "pedal.tflite", wanted).path
    with Board(port) as board:
        upload(board, write_blob(model, samples))
        found = verify_board(board, model, 150)
    assert found.passed and (found.max_abs_difference == 0.0 or wanted.scheme in FLOAT_SCHEMES)


@pytest.mark.parametrize("wanted", [Wanted("w8", 6, family="gru"), Wanted("w8a16", 5, begins=True),
                                    Wanted("float32", 6, 2, begins=True)], ids=lambda one: f"{one.family} {one.scheme}")
def test_gru_and_networks_that_begin_in_a_state_are_verified_on_the_board(wanted: Wanted, port: str, tmp_path: Path,
                                                                          firmware: tuple[Path, Samples]) -> None:
    check_on_board(wanted, port, firmware[1], tmp_path)


# Its tables make the upload long: one kind of samples is enough, the other one plays in test_link_player.py.
@pytest.mark.parametrize("firmware", [True], indirect=True, ids=["int16 on a socket"])
def test_w8a8_is_verified_on_the_board(port: str, firmware: tuple[Path, Samples], tmp_path: Path) -> None:
    check_on_board(Wanted("w8a8", 6, 2), port, firmware[1], tmp_path)


@pytest.mark.parametrize("reset", [False, True], ids=["the host dies", "the board is reset"])
def test_an_upload_goes_on_with_another_host(reset: bool, port: str, firmware: tuple[Path, Samples],
                                             tmp_path: Path) -> None:
    old, new = (write_blob(write_pedal(tmp_path / f"{size}.tflite", Wanted("w8a16", size)).path, firmware[1])
                for size in (3, 26))
    sent = 4608
    with Board(port) as board:
        upload(board, old)
        board.ask(Request.UPLOAD, len(new.content).to_bytes(4, "little") + new.crc.to_bytes(4, "little"), erases=True)
        for at in range(0, sent, 512):
            board.ask(Request.CHUNK, at.to_bytes(4, "little") + new.content[at : at + 512])
        if reset:
            board.reset(Reset.BOARD)
    with Board(port) as board:
        assert board.info.playing and board.info.playing.digest == old.digest
        done = upload(board, new)
        # After a reset the page of 4096 bytes that was being written is sent again.
        assert done.sent_bytes == len(new.content) - (4096 if reset else sent)
        assert board.info.playing.digest == new.digest


def test_a_board_that_vanishes_is_a_link_error(firmware: tuple[Path, Samples], tmp_path: Path) -> None:
    emulator = Emulator(firmware[0], f"unix:{tmp_path}/board.sock,server=on,wait=on")
    board = Board(emulator.port, 0.2)
    emulator.stop()
    with pytest.raises(LinkError, match=r"line is gone|closed the line"):
        board.statistics()
    with pytest.raises(LinkError, match="cannot be opened"):
        board.reconnect(0.0)


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path, cli: Cli) -> None:
    code, _, errors = cli("link", "--port", tmp_path / "none", "info")
    assert code == 1 and "cannot be opened" in errors and errors.count("\n") == 1
    code, _, errors = cli("link", "--port", "x", "profile", "--hidden", "8,many")
    assert code == 2 and "wanted numbers such as 8,16,32" in errors
    code, text, _ = cli("link", "--help")
    assert code == 0 and "neuralpedal link --port /dev/ttyACM0 verify" in text
