"""Parameters and multiply-adds of a network, counted from its graph."""

import math
from dataclasses import dataclass

import keras

from hrnet_tf.patches.keras_graph import calls

# FORWARD layers use each weight once per position of the output, BACKWARD layers once per position
# of the input.
FORWARD = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
BACKWARD = (keras.layers.Conv2DTranspose,)


@dataclass(frozen=True)
class Complexity:
    """The cost of a network.

    Attributes:
        parameters: number of trainable ones, without the moving statistics of normalizations.
        multiply_adds: number for one image, and in detectors one region, in convolutions and dense
            layers, without biases, normalizations, activations, resizing, pooling of regions and
            OCR's products of two activations.
    """

    parameters: int
    multiply_adds: int

    @property
    def giga(self) -> float:
        """Multiply-adds / 2**30, which the papers print as GFLOPs (HigherHRNet's: / 10**9)."""
        return self.multiply_adds / 2**30


def complexity(model: keras.Model) -> Complexity:
    """Count the trainable parameters and the multiply-adds of a functional model.

    Raises:
        ValueError: the model's height or width is not fixed.
    """
    shape = next(tuple(x.shape[1:]) for x in model.inputs if len(x.shape) == 4)
    if None in shape:
        raise ValueError(
            "`model` must have a fixed input size to count its multiply-adds. "
            f"Received: input shape {shape}. Build it with a height and width."
        )
    total = 0
    for call in calls(model):
        if isinstance(call.operation, FORWARD):
            total += math.prod(call.outputs[0].shape[1:-1]) * math.prod(call.operation.kernel.shape)
        elif isinstance(call.operation, BACKWARD):
            total += math.prod(call.inputs[0].shape[1:-1]) * math.prod(call.operation.kernel.shape)
    parameters = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    return Complexity(parameters, total)
