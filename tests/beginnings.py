"""Networks that begin in a state of their own, as NAM's do."""

from dataclasses import replace

import numpy as np

from neuralpedal.contract.weights import NetworkWeights


def begun(weights: NetworkWeights, seed: int = 0, hidden: float = 0.8, cell: float = 1.5) -> NetworkWeights:
    """The network with a random initial state; ``hidden`` and ``cell`` are its largest magnitudes."""
    rng, h = np.random.default_rng(seed), weights.spec.hidden_size
    limits = (hidden, cell)[: len(weights.spec.kind.state)]
    return replace(weights, initial_state=tuple(
        tuple(rng.uniform(-limit, limit, h).astype(np.float32) for limit in limits) for _ in weights.layers))
