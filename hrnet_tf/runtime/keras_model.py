"""Keras models as functions from named arrays to named arrays."""

import functools
import re
from collections.abc import Callable, Mapping

import keras
import numpy as np

from hrnet_tf.collection import uncollected
from hrnet_tf.patches.keras_graph import all_layers, is_functional, origin
from hrnet_tf.runtime import PRECISIONS
from hrnet_tf.runtime.folded import folded, is_float32
from hrnet_tf.runtime.network import Arrays, Shapes

FUNCTIONAL = (
    "Build it as keras.Model(inputs, outputs), or around it: image = keras.Input(shape); "
    "keras.Model(image, model(image))"
)


class KerasNetwork:
    """A Keras model as a `Network`, compiled when it is first called.

    Args:
        model: a functional or sequential model with one input, or a dictionary or list of inputs.
        frozen: the model's weights will not change after the first call, which is then the last
            that reads them all. Otherwise each call uses the weights that the model has by then.
        precision: "float32", or "bfloat16" for the convolutions; see `folded`.

    Attributes:
        model: the Keras model, functional.
        frozen, precision: as given.
        inputs: shape of each input by name, as of `input_shapes`.
        outputs: shape of each output by name, as of `named_outputs`.

    Raises:
        ValueError: the model cannot be a network, or has no choice of its precision.
    """

    def __init__(self, model: keras.Model, frozen: bool = False, precision: str = "float32"):
        self.model, self.frozen = functional(model), frozen
        self.precision = _checked_precision(precision, self.model)
        self.inputs: Shapes = input_shapes(self.model)
        outputs = named_outputs(self.model.output)
        self.outputs: Shapes = {name: tuple(each.shape[1:]) for name, each in outputs.items()}
        self._call = None

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All outputs (B, …) float32 for all inputs (B, …)."""
        given = [arrays[name] for name in self.inputs]
        if self._call is None:
            with uncollected():
                self._call = self._compiled()
                return self._call(*given)
        return self._call(*given)

    def _compiled(self):
        model = self.model
        if keras.backend.backend() == "tensorflow":
            run = folded(model, self.frozen, self.precision)
            shapes = ((None, *shape) for shape in self.inputs.values())
            function = compiled(lambda *tensors: named_outputs(run(tensors)), *shapes)
            return lambda *arrays: {name: x.numpy() for name, x in function(*arrays).items()}
        return lambda *arrays: named_outputs(
            model.predict_on_batch(keras.tree.pack_sequence_as(model.input, arrays))
        )


def _checked_precision(precision, model):
    """The precision; raises ValueError if the model cannot be computed in it."""
    reason = ""
    if precision not in PRECISIONS:
        reason = f"must be {' or '.join(PRECISIONS)}"
    elif precision != "float32" and keras.backend.backend() != "tensorflow":
        reason = "other than float32 needs KERAS_BACKEND=tensorflow"
    elif precision != "float32" and not is_float32(model):
        reason = f"other than float32 needs a network of float32; {model.name} has its own"
    if reason:
        raise ValueError(f"`precision` {reason}. Received: precision={precision!r}.")
    return precision


def functional(model: keras.Model) -> keras.Model:
    """The model itself if it is functional; a functional model of its layers if it is sequential.

    Raises:
        ValueError: the model is of another kind, or was not built.
    """
    if isinstance(model, keras.Sequential) and hasattr(model, "inputs"):  # it has been built
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if not is_functional(model):
        sequential = isinstance(model, keras.Sequential)
        way = "Begin it with keras.Input(shape)" if sequential else FUNCTIONAL
        raise ValueError(
            f"`model` must be a functional Keras model. Received: {getattr(model, 'name', model)}, "
            f"a {type(model).__name__} whose inputs are not known. {way}."
        )
    if keras.backend.backend() == "tensorflow":
        _check_names(model)
    return model


def _check_names(model):
    """Raises ValueError for names that TensorFlow refuses when it compiles the model."""
    for name in (model.name, *(layer.name for layer in model.layers)):
        if not re.fullmatch(r"[A-Za-z0-9._\\/>-]+", name):
            raise ValueError(
                "`name` of a model or layer must consist of letters, digits and . _ - / for "
                f"TensorFlow. Received: name={name!r}. Build it with another name."
            )


def in_float32(model: keras.Model) -> keras.Model:
    """The same network computing in float32; the model itself if it does.

    Kernels that Keras has rounded to 8 bits become the numbers that they stand for. Keras also
    rounds what such a layer takes, which the copy does not.

    Args:
        model: functional.

    Raises:
        ValueError: a layer was quantized in another way.
    """
    before = all_layers(model)
    if all(_plain(layer) for layer in before):
        return model
    copy = keras.models.clone_model(model, clone_function=_float32_layer, recursive=True)
    for layer, new in zip(before, all_layers(copy), strict=True):
        if getattr(layer, "quantization_mode", None):
            new.kernel.assign(_unrounded(layer))
            if layer.bias is not None:
                new.bias.assign(layer.bias)
        elif layer.weights:
            new.set_weights(layer.get_weights())
    return copy


def _plain(layer):
    return layer.dtype_policy.name in ("float32", "int32", "int64", "uint8", "bool")


def _float32_layer(layer):
    if _plain(layer):
        return layer.__class__.from_config(layer.get_config())
    config = {**layer.get_config(), "dtype": "float32"}
    config.pop("quantization_config", None)
    return layer.__class__.from_config(config)


def _unrounded(layer):
    if layer.quantization_mode != "int8" or not isinstance(layer, keras.layers.Dense):
        raise ValueError(
            f"{layer.name}: a {type(layer).__name__} that Keras has quantized to "
            f"{layer.quantization_mode} cannot be converted; a Dense of int8 can. Convert the "
            "network from before `model.quantize`."
        )
    kernel, scale = (np.asarray(each, np.float32) for each in (layer._kernel, layer.kernel_scale))
    return kernel / scale


def input_shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Shapes of a model's inputs without the batch, by name, in the order of `model.inputs`.

    A single input is called "image". Several inputs are called by the keys of the model's
    dictionary of inputs, or else by the names of its tensors.

    Raises:
        ValueError: two inputs have the same name, a name is no identifier, or inputs are nested.
    """
    tensors, given = model.inputs, model.input
    if len(tensors) == 1:
        names = ["image"]
    elif isinstance(given, Mapping):
        names = keras.tree.flatten({key: key for key in given})
    else:
        names = [each.name for each in tensors]
    if len(set(names)) != len(tensors) or not all(map(str.isidentifier, names)):
        raise ValueError(
            "`model` must have inputs of different names, each a word of letters, digits and "
            f"underscores. Received: {names}. Build it as keras.Model({{name: input, ...}}, "
            "outputs)."
        )
    return {name: tuple(x.shape[1:]) for name, x in zip(names, tensors, strict=True)}


def named_outputs(outputs: object) -> dict:
    """The outputs of a model by name.

    A dictionary keeps its keys. The outputs of a list are called "output0", "output1", …, a single
    output is called "output".

    Raises:
        ValueError: the outputs are nested.
    """
    if isinstance(outputs, list | tuple) and len(outputs) == 1:
        (outputs,) = outputs
    if isinstance(outputs, list | tuple):
        outputs = {f"output{i}": each for i, each in enumerate(outputs)}
    if not isinstance(outputs, Mapping):
        outputs = {"output": outputs}
    nested = [name for name, x in outputs.items() if isinstance(x, Mapping | list | tuple)]
    if nested:
        raise ValueError(
            f"`model` must return one dictionary of arrays. Received: {nested[0]!r} holds several. "
            "Build it as keras.Model(inputs, {name: output, ...})."
        )
    return dict(outputs)


# Layers that change where numbers stand, and not what they are.
PASSING = {"Reshape", "UpSampling2D", "Resizing", "Resize", "Identity", "Dropout", "Cropping2D"}
PASSING |= {"Flatten", "Permute", "Squeeze", "Activation"}


def last_activation(tensor: keras.KerasTensor) -> str:
    """The name of the activation that an output of a model ends in, such as "softmax".

    Layers behind it that move or resize its results are passed over. Empty if it ends in another
    layer, or in a softmax that is not over the channels.
    """
    operation, sources, result = origin(tensor)
    if isinstance(operation, keras.Sequential) or is_functional(operation):
        return last_activation(functional(operation).outputs[result])
    kind = type(operation).__name__
    if kind == "Softmax" and operation.axis not in (-1, len(tensor.shape) - 1):
        return ""  # over pixels
    if kind in ("Softmax", "Sigmoid"):
        return kind.lower()
    name = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if name != "linear":
        return name
    return last_activation(sources[0]) if kind in PASSING and len(sources) == 1 else ""


def compiled(function: Callable, *shapes: tuple) -> Callable:
    """Compiles a function of float32 tensors of these shapes, once for all batch sizes."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf  # Keras has imported it already

        # No XLA: on CPUs, its compilation takes longer than it saves.
        signature = [tf.TensorSpec((None, *shape[1:]), tf.float32) for shape in shapes]
        # TensorFlow counts traces by code, and would warn at the fifth network. A partial has none.
        call = functools.partial(function)
        return tf.function(call, input_signature=signature, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function
