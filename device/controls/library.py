"""Libraries that only some controls want, and what is told of their errors."""

import importlib
from typing import Any

from neuralpedal.contract.errors import ControlError


def library(module: str, package: str, wish: str, extra: str, keys: str) -> Any:
    """A module that may not be installed.

    Args:
        package: as pip knows it. wish: what controls want of it. extra: of neuralpedal, that brings it. keys: of
            ``controls:``, without which it is not needed.

    Raises:
        ControlError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ControlError(f"controls want {wish}, but {package} is not installed; pip install 'neuralpedal[{extra}]', "
                           f"or take {keys} out of pedal.yaml") from error


def reason_of(error: BaseException) -> str:
    """Its message in one line; its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
