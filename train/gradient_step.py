"""One update of a network's weights by a stretch of audio: what training and fine-tuning have in common."""

import keras
import tensorflow as tf

from neuralpedal.train.loss import EsrLoss
from neuralpedal.train.networks.pedal_model import PedalModel
from neuralpedal.train.networks.recurrent_stack import States


def gradient_step(model: PedalModel, optimizer: keras.optimizers.Optimizer, loss_of: EsrLoss, gradient_clip: float,
                  dry: tf.Tensor, wet: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
    """Stream ``dry`` (B, T, 1) on from ``states`` and descend once, the gradients' common norm clipped.

    Returns:
        The loss, and the states behind the last sample.
    """
    with tf.GradientTape() as tape:
        prediction, after = model.stream(dry, states)
        loss = loss_of(wet, prediction)
    gradients = tape.gradient(loss, model.trainable_variables)
    gradients, _ = tf.clip_by_global_norm(gradients, gradient_clip)
    optimizer.apply(gradients, model.trainable_variables)
    return loss, after
