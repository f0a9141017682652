"""Reading that must come to an end: some damaged HDF5 files send their library round in circles for ever."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from neuralpedal.contract.errors import ModelFileError

SECONDS = 30.0
"""A hundred times what the largest file takes."""

Result = TypeVar("Result")


def in_bounded_time(path: Path, read: Callable[[], Result], seconds: float = SECONDS) -> Result:
    """What ``read`` returns, read in a child process that is ended when it takes too long.

    Where processes cannot be forked (Windows) it is read here, without a bound.

    Args:
        path: for messages. read: its result, and a ModelFileError of it, must be such that pickle takes them.

    Raises:
        ModelFileError: that of ``read``; or no end within ``seconds``, or the child died.
    """
    if not hasattr(os, "fork"):
        return read()
    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe(duplex=False)
    child = forking.Process(target=_send, args=(theirs, read), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise ModelFileError(f"{path}: cannot be read within {seconds:g} s, which a damaged file may bring about; "
                                 "download or save it again")
        result, error = ours.recv()
    except EOFError:
        raise ModelFileError(f"{path}: reading it ended the reader; download or save it again") from None
    finally:
        child.kill()
        child.join()
        ours.close()
    if error is not None:
        raise error
    found: Result = result
    return found


def _send(pipe: Any, read: Callable[[], Result]) -> None:
    try:
        answer: tuple[Result | None, ModelFileError | None] = read(), None
    except ModelFileError as error:
        # What caused it does not go through a pipe.
        answer = None, ModelFileError(*error.args)
    pipe.send(answer)
