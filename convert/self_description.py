"""What a file says of itself: the manifest, with what follows from the weights alone."""

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.initial_state import as_lists
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest


def self_description(weights: AnyWeights, manifest: Manifest) -> dict[str, bytes]:
    """The metadata of a file that holds ``weights``."""
    complete = manifest.model_copy(update={"initial_state": as_lists(weights.initial_state)})
    return {METADATA_NAME: encode_manifest(complete)}
