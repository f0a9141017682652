"""Which folders are models themselves and which hold models, and the digest by which an import knows its origin."""

import hashlib
from pathlib import Path

from neuralpedal.contract.audio import file_digest

MARK = "saved_model.pb"
"""In every folder that TensorFlow saved a model as."""

METADATA, CHECKPOINT = "keras_metadata.pb", "variables/variables"
"""What is read of such a folder: the description, and a checkpoint in two files or more."""


def is_saved_model(path: Path) -> bool:
    """True of a SavedModel's folder."""
    return (path / MARK).is_file()


def is_library(path: Path) -> bool:
    """True of a folder of models, which a SavedModel is not."""
    return path.is_dir() and not is_saved_model(path)


def model_digest(path: Path) -> str:
    """SHA-256 of a file, or of the list, as ``sha256sum`` prints it, of the files of a SavedModel that are read."""
    if not is_saved_model(path):
        return file_digest(path)
    read = [path / METADATA, *sorted((path / CHECKPOINT).parent.glob(f"{Path(CHECKPOINT).name}.*"))]
    lines = [f"{file_digest(file)}  {file.relative_to(path).as_posix()}\n" for file in read if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
