"""A board's example program as files of a project: the pedal's audio callback, footswitch, bypass and LED."""

from importlib import resources
from pathlib import PurePosixPath

from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.board_catalog import Board, Example, boards, find_board
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts

SHARED_FILES = ("pedal_bypass.h", "pedal_cycles.h")
_PLAIN_PROGRAM, _LINK_PROGRAM = "plain", "link"
SKETCH = ".ino"


def boards_with_example() -> tuple[str, ...]:
    """Names of the boards that have one."""
    return tuple(name for name, board in boards().items() if board.example)


def find_example(name: str, link: bool = False) -> tuple[Board, Example]:
    """A board with its example, or one that speaks the link. Raises SpecError for an unknown board, or one without."""
    board = find_board(name)
    if board.example is None:
        raise SpecError(f"board {name}: has no example program; these have: {', '.join(boards_with_example())}")
    if link and board.example.link_folder is None:
        having = (one for one, other in boards().items() if other.example and other.example.link_folder)
        raise SpecError(f"board {name}: has no example that speaks the link; these have: {', '.join(having)}")
    return board, board.example


def example_texts(example: Example, folder_name: str, link: bool = False) -> dict[str, str]:
    """Files by name; of the program that speaks the link with ``link``.

    Args:
        folder_name: of the project: Arduino wants a sketch to be called as its folder is.
    """
    place = resources.files("neuralpedal.firmware_bridge").joinpath("boards")
    texts = {name: place.joinpath(name).read_text(encoding="utf-8") for name in SHARED_FILES}
    folders = [example.folder, _PLAIN_PROGRAM]
    if link:
        assert example.link_folder, "asked for by find_example"
        folders = [example.folder, _LINK_PROGRAM, example.link_folder]
        texts |= player_texts(PlayerSettings(example.io == "int16"))
    for entry in (entry for folder in folders for entry in place.joinpath(folder).iterdir()):
        is_sketch = PurePosixPath(entry.name).suffix == SKETCH
        texts[f"{folder_name}{SKETCH}" if is_sketch else entry.name] = entry.read_text(encoding="utf-8")
    return texts
