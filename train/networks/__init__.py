"""Keras networks behind one spec: a layer for every cell, a player for every way of being fed."""

from neuralpedal.train.networks.fused_lstm import FusedLSTM
from neuralpedal.train.networks.gru_layer import GruLayer
from neuralpedal.train.networks.model_file import load_model
from neuralpedal.train.networks.pedal_model import PedalModel
from neuralpedal.train.networks.rnn_layer import RnnLayer

__all__ = ["FusedLSTM", "GruLayer", "PedalModel", "RnnLayer", "load_model"]
