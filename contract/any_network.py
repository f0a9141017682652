"""A network of any family: which class of spec it has is asked here alone."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.wavenet import FAMILY as WAVENET
from neuralpedal.contract.wavenet import WaveNetSpec, make_wavenet
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights

AnyWeights = NetworkWeights | WaveNetWeights


def _family_tag(network: Any) -> str:
    family = network.get("family") if isinstance(network, dict) else getattr(network, "family", None)
    return "#wavenet" if family == WAVENET else "#recurrent"


AnySpec = Annotated[Annotated[NetworkSpec, Tag("#recurrent")] | Annotated[WaveNetSpec, Tag("#wavenet")],
                    Discriminator(_family_tag)]
"""For fields of pydantic models."""


def make_network(**fields: Any) -> NetworkSpec | WaveNetSpec:
    """A checked spec from plain values, as a spec's ``model_dump`` gives them. Raises SpecError."""
    return make_wavenet(**fields) if fields.get("family") == WAVENET else make_spec(**fields)
