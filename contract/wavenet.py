"""What a network of the WaveNet family is: arrays of dilated convolutions, whose every layer adds to a head.

The family of Neural Amp Modeler's A1 and A2 (github.com/sdatkinson/neural-amp-modeler, nam/models/wavenet), after van
den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016. Every layer sees the input itself besides what the
layer before made of it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from neuralpedal.contract.spec import checked_network

FAMILY = "wavenet"
"""Name of the family."""

ACTIVATIONS = ("tanh", "relu", "leaky_relu")
"""leaky_relu: slope 0.01 below zero, NAM's."""

LEAKY_SLOPE = 0.01

MAX_LAYERS = 64
MAX_CHANNELS = 64

Taps = Annotated[int, Field(ge=1, le=64)]
Dilation = Annotated[int, Field(ge=1, le=8192)]


class ConvArray(BaseModel):
    """Layers of one width.

    Attributes:
        channels: C. dilations: samples between the taps of each layer. kernel_sizes: taps of each layer.
        activation: one of ``ACTIVATIONS``. gated: twice the channels are computed, and the sigmoid of the second half
            multiplies the activation of the first.
        head_size: channels of what the array gives to the next array's head, or 1 of the last. head_kernel_size: taps
            of the convolution that makes it from the sum of all layers. head_bias: whether that has a bias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(ge=1, le=MAX_CHANNELS)
    dilations: tuple[Dilation, ...] = Field(min_length=1, max_length=MAX_LAYERS)
    kernel_sizes: tuple[Taps, ...] = Field(min_length=1, max_length=MAX_LAYERS)
    activation: Literal["tanh", "relu", "leaky_relu"] = "tanh"
    gated: bool = False
    head_size: int = Field(1, ge=1, le=MAX_CHANNELS)
    head_kernel_size: Taps = 1
    head_bias: bool = False

    @model_validator(mode="after")
    def _kernel_per_layer(self) -> "ConvArray":
        if len(self.kernel_sizes) != len(self.dilations):
            raise ValueError(f"{len(self.kernel_sizes)} kernel sizes for {len(self.dilations)} dilations: wanted one "
                             "per layer")
        return self

    @property
    def sums(self) -> int:
        """Channels that a layer's convolution computes: C, or 2·C when gated."""
        return 2 * self.channels if self.gated else self.channels

    @property
    def spans(self) -> tuple[int, ...]:
        """Samples before the present one that each layer reads."""
        return tuple((taps - 1) * dilation for taps, dilation in zip(self.kernel_sizes, self.dilations, strict=True))

    @property
    def all_spans(self) -> tuple[int, ...]:
        """As ``spans``, of every convolution: the layers, then the head."""
        return (*self.spans, self.head_kernel_size - 1)


class WaveNetSpec(BaseModel):
    """One network: mono in, mono out, one output sample per input sample.

    Attributes:
        arrays: first to last; the second reads what the first passes on, and its head begins with the first's.
        head_scale: what the last head is multiplied by.
        skip, sample_rate_hz: see NetworkSpec.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["wavenet"] = "wavenet"
    arrays: tuple[ConvArray, ...] = Field(min_length=1, max_length=4)
    head_scale: float = Field(0.02, ge=-1e6, le=1e6)
    skip: bool = False
    sample_rate_hz: int = Field(48000, ge=8000, le=384000)

    @model_validator(mode="after")
    def _heads_fit(self) -> "WaveNetSpec":
        for array, following in zip(self.arrays, self.arrays[1:], strict=False):
            if array.head_size != following.channels:
                raise ValueError(f"an array's head has {array.head_size} channels, the next array has "
                                 f"{following.channels}: wanted the same")
        if self.arrays[-1].head_size != 1:
            raise ValueError(f"the last head has {self.arrays[-1].head_size} channels: wanted 1")
        return self

    @property
    def graph(self) -> str:
        """Which graph of a TFLite file plays it (contract/wavenet_plan.py)."""
        return "convolutions"

    @property
    def array_input_sizes(self) -> tuple[int, ...]:
        """Width of what each array reads: 1, then the channels of the array before."""
        return (1, *(array.channels for array in self.arrays[:-1]))

    @property
    def receptive_field(self) -> int:
        """Samples that one output sample depends on."""
        return 1 + sum(sum(array.all_spans) for array in self.arrays)

    @property
    def num_parameters(self) -> int:
        """Trainable weights."""
        return sum(_parameters(array, size) for array, size in zip(self.arrays, self.array_input_sizes, strict=True))

    @property
    def size(self) -> str:
        """Channels of the arrays and all layers: ``8+4 ch, 20 layers``."""
        channels = "+".join(str(array.channels) for array in self.arrays)
        return f"{channels} ch, {sum(len(array.dilations) for array in self.arrays)} layers"

    @property
    def label(self) -> str:
        """Short name for tables: ``wavenet 8+4 ch, 20 layers``."""
        return f"{FAMILY} {self.size}"


def make_wavenet(**fields: Any) -> WaveNetSpec:
    """A checked spec from plain values.

    Raises:
        SpecError: a field is unknown or out of range; the message names it.
    """
    return checked_network(WaveNetSpec, fields)


def _parameters(array: ConvArray, inputs: int) -> int:
    c, sums = array.channels, array.sums
    layers = sum(taps * c * sums + sums + sums + c * c + c for taps in array.kernel_sizes)
    return inputs * c + layers + array.head_kernel_size * c * array.head_size + array.head_size * array.head_bias
