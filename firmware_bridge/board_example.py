"""A board's example program as files of a project: the pedal's audio callback, footswitch, bypass and LED."""

from importlib import resources
from pathlib import PurePosixPath

from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.board_catalog import Board, Example, boards, find_board

SHARED_FILES = ("pedal_bypass.h", "pedal_cycles.h")
SKETCH = ".ino"


def boards_with_example() -> tuple[str, ...]:
    """Names of the boards that have one."""
    return tuple(name for name, board in boards().items() if board.example)


def find_example(name: str) -> tuple[Board, Example]:
    """A board with its example. Raises SpecError for an unknown board, or one without."""
    board = find_board(name)
    if board.example is None:
        raise SpecError(f"board {name}: has no example program; these have: {', '.join(boards_with_example())}")
    return board, board.example


def example_texts(example: Example, folder_name: str) -> dict[str, str]:
    """Files by name.

    Args:
        folder_name: of the project: Arduino wants a sketch to be called as its folder is.
    """
    place = resources.files("neuralpedal.firmware_bridge").joinpath("boards")
    texts = {name: place.joinpath(name).read_text(encoding="utf-8") for name in SHARED_FILES}
    for entry in place.joinpath(example.folder).iterdir():
        is_sketch = PurePosixPath(entry.name).suffix == SKETCH
        texts[f"{folder_name}{SKETCH}" if is_sketch else entry.name] = entry.read_text(encoding="utf-8")
    return texts
