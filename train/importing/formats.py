"""Which reader a file or SavedModel gets: by what it is, since ``.json`` is three formats and names are often wrong."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.train.importing.array_archive import read_array_archive
from neuralpedal.train.importing.capture import Capture, ImportOptions
from neuralpedal.train.importing.guitarml import is_guitarml, read_guitarml
from neuralpedal.train.importing.json_node import JsonNode, read_json
from neuralpedal.train.importing.model_path import is_saved_model
from neuralpedal.train.importing.nam import is_nam, read_nam
from neuralpedal.train.importing.rtneural import is_rtneural, read_rtneural

SUFFIXES = (".nam", ".json", ".aidax", ".npz", ".keras", ".h5", ".hdf5")
"""Of files that a folder is searched for."""

_KERAS = (".keras", ".h5", ".hdf5")
_JSON: tuple[tuple[Callable[[JsonNode], bool], Callable[[JsonNode, ImportOptions], Capture]], ...] = (
    (is_nam, read_nam), (is_guitarml, read_guitarml), (is_rtneural, read_rtneural),
)


def read_capture(path: Path, options: ImportOptions) -> Capture:
    """The network in a file of any format, or in a SavedModel's folder.

    Raises:
        ModelFileError: missing, damaged, of no known format, a network that cannot be imported (yet).
        SpecError: a network with knobs, one of which has no setting.
    """
    path = Path(path)
    if is_saved_model(path):
        # Only who has such a folder waits for TensorFlow here.
        from neuralpedal.train.importing.saved_model import read_saved_model

        return read_saved_model(path, options)
    if path.suffix.lower() in _KERAS:
        # Only who has a Keras file needs h5py.
        from neuralpedal.train.importing.keras_file import read_keras_file

        return read_keras_file(path, options)
    if path.suffix.lower() == ".npz" or zipfile.is_zipfile(path):
        return read_array_archive(path, options)
    root = read_json(path)
    for is_format, read in _JSON:
        if is_format(root):
            return read(root, options)
    keys = ", ".join(sorted(root.value)[:6]) if isinstance(root.value, dict) else type(root.value).__name__
    raise ModelFileError(f"{path}: JSON of no known model format (found {keys[:200] or 'nothing'}); wanted NAM, "
                         "RTNeural, AIDA-X or GuitarML")
