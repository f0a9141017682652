"""Keras networks behind one spec: one builder per family."""

from neuralpedal.train.networks.fused_lstm import FusedLSTM
from neuralpedal.train.networks.pedal_model import PedalModel, load_model

__all__ = ["FusedLSTM", "PedalModel", "load_model"]
