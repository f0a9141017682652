"""Writes the SavedModels beside this file, as Keras 2 saves them, and what Keras 2 plays with them.

    pip install tf_keras && python tests/golden/saved_models/write.py

``tf_keras`` is Keras 2 as a package; each of its versions wants one version of TensorFlow, so that no extra has it. The
folders are what ``model.save`` leaves of a model that was trained a little, but for the graph, of which an empty
``saved_model.pb`` is kept: it takes megabytes, and no import reads it. The weights are random.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

FOLDER = Path(__file__).parent
_SAMPLES = 64


def frames() -> Any:
    """Two LSTMs that answer frames of 16 samples, as the networks of the 2022 study."""
    return keras.Sequential([keras.layers.LSTM(3, return_sequences=True, input_shape=(16, 1)), keras.layers.LSTM(3),
                             keras.layers.Dense(1)])


def stream() -> Any:
    """A GRU that streams, as a functional model, with a layer that does nothing when it plays."""
    given = keras.Input((None, 1))
    hidden = keras.layers.Dropout(0.1)(keras.layers.GRU(4, return_sequences=True)(given))
    return keras.Model(given, keras.layers.Dense(1)(hidden))


def write(name: str, model: Any, dry: np.ndarray, inputs: np.ndarray) -> None:
    """The folder, and NAME.npz with ``dry`` (T,) and ``wet`` (T,), what the model makes of ``inputs``."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0.0, 0.5, array.shape) for array in model.get_weights()])
    model.compile("adam", "mse")
    model.fit(inputs, np.zeros(len(inputs)) if inputs.shape[1] == 16 else inputs, verbose=0)
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    model.save(FOLDER / name, save_format="tf")
    (FOLDER / name / "saved_model.pb").write_bytes(b"")
    (FOLDER / name / "fingerprint.pb").unlink()
    (FOLDER / name / "assets").rmdir()
    np.savez(FOLDER / f"{name}.npz", dry=dry, wet=model.predict(inputs, verbose=0).reshape(-1)[:_SAMPLES])


def main() -> None:
    """See above."""
    dry = np.random.default_rng(4).normal(0.0, 0.3, _SAMPLES).astype(np.float32)
    padded = np.concatenate([np.zeros(15, np.float32), dry])
    write("frames-2x3-of-16", frames(), dry, np.lib.stride_tricks.sliding_window_view(padded, 16)[:, :, np.newaxis])
    write("gru-1x4", stream(), dry, dry[np.newaxis, :, np.newaxis])


if __name__ == "__main__":
    main()
