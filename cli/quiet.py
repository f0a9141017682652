"""TensorFlow without its start-up chatter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_tensorflow() -> None:
    """Import TensorFlow with logs below errors off, no search for a GPU, and as the backend of Keras.

    What it writes to stderr while loading (remarks about a missing CUDA) is shown only if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _stderr_held_back():
        import tensorflow  # noqa: F401


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Collect what C++ writes to file descriptor 2; give it back only when the body fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
