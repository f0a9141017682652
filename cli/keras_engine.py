"""A trained Keras network as an engine: a run folder plays, renders and is measured as every other model."""

from typing import Any

import numpy as np

from neuralpedal.contract.initial_state import as_lists
from neuralpedal.contract.manifest import Manifest
from neuralpedal.device.engine import Block, Engine


class KerasEngine(Engine):
    """Streams a PedalModel of any family in float32, in blocks as large as its memory allows.

    Not for live playing: a call of TensorFlow costs more than a short block may take.

    Args:
        model: a PedalModel. name: for the manifest.
    """

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        state = as_lists(model.network_weights().initial_state)
        self.manifest = Manifest(name=name, scheme="float32", network=model.spec, initial_state=state)
        self.block_size = model.samples_at_once
        self.description = "keras"
        self._states = model.first_states(1)

    def process(self, dry: Block, wet: Block) -> None:
        """See Engine. Not real-time safe."""
        output, self._states = self._model.stream(dry[np.newaxis, :, np.newaxis], self._states)
        wet[:] = np.asarray(output)[0, :, 0]

    def reset(self) -> None:
        """See Engine."""
        self._states = self._model.first_states(1)
