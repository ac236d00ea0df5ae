"""What every network of the house keeps; each builder's test calls `check_model`."""

import inspect

import keras
import numpy as np


def random_weights(model, seed=0):
    """Weights of a size that keeps every activation alive, so that gradients reach every weight."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape, name = variable.shape, variable.path.rsplit("/", 1)[-1]
        if name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape) * (0.6 if name == "gamma" else 1)
        elif name == "bias":  # of a squeeze: all of its few ReLUs stay alive
            value = rng.uniform(1, 3, shape)
        elif len(shape) == 1:
            value = 0.1 * rng.standard_normal(shape)
        else:
            fan_in = np.prod(shape[:-1]) if "depthwise" not in variable.path else 9
            value = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        variable.assign(value)


def copy_weights(source, target):
    """By name: the order of layers differs between networks of fixed and of dynamic size."""
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def example(model, batch):
    """Inputs of a model: noise, and regions of every size, partly outside; by name if several."""
    rng = np.random.default_rng(1)
    found = {}
    for x in model.inputs:
        if x.name == "boxes":
            boxes = [[0, 0, 60, 60], [3, 5, 20, 9], [10, 10, 10, 10], [-300, -200, 300, 400]]
            found[x.name] = np.tile(np.float32(boxes), (batch, 1, 1))
        else:
            found[x.name] = rng.standard_normal((batch, *x.shape[1:])).astype("float32")
    return found if len(found) > 1 else next(iter(found.values()))


def check_model(model, output_shapes, tmp_path):
    """Shapes, built-in layers only, binary additions, gradients, float32 output, bit-equal reload.

    `output_shapes` has the structure of the model's output, without the batch.
    """
    random_weights(model)
    x = example(model, 2)
    outputs = call(model, x)
    shapes = keras.tree.map_structure(lambda y: y.shape[1:], outputs)
    assert shapes == output_shapes

    for operation in model.operations:
        assert type(operation).__module__.split(".")[0] == "keras", operation
        if isinstance(operation, keras.layers.Add):
            assert len(operation.input) == 2, f"{operation.name} adds more than two tensors"

    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.name for layer in reloaded.layers if layer.weights] == [
        layer.name for layer in model.layers if layer.weights
    ]
    keras.tree.map_structure(np.testing.assert_array_equal, outputs, call(reloaded, x))
    _check_gradients(model, x)


def check_mixed_precision(build):
    """The network computes in bfloat16 and still returns float32, close to the float32 network."""
    reference = build()
    random_weights(reference)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(reference.get_weights())
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)
    x = example(model, 1)
    ours, wanted = (keras.tree.flatten(call(m, x)) for m in (model, reference))
    for our, want in zip(ours, wanted, strict=True):
        assert our.dtype == "float32" or "backbone" in model.name or "pyramid" in model.name
        assert np.abs(our.astype("float32") - want).mean() < 0.1 * want.std()


def check_public_docstring(function):
    """A builder says what it takes, returns and raises."""
    for section in ("Args:", "Returns:", "Raises:"):
        assert section in inspect.getdoc(function)


def call(model, x):
    """The outputs in inference mode as NumPy; compiled on JAX, whose eager calls are slow."""
    if keras.backend.backend() == "jax":
        import jax

        outputs = jax.jit(lambda x: model(x, training=False))(x)
    else:
        outputs = model(x, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


def _check_gradients(model, x):
    """In inference mode: batch statistics cancel the bias of a normalization before a 1x1."""
    for variable, gradient in zip(model.trainable_variables, _gradients(model, x), strict=True):
        gradient = keras.ops.convert_to_numpy(gradient)
        assert np.isfinite(gradient).all() and gradient.any(), f"no gradient at {variable.path}"


def _gradients(model, x):
    def loss(outputs):
        return sum(keras.ops.mean(y**2) for y in keras.tree.flatten(outputs))

    if keras.backend.backend() == "jax":
        import jax

        trainable = [v.value for v in model.trainable_variables]
        rest = [v.value for v in model.non_trainable_variables]
        return jax.jit(jax.grad(lambda t: loss(model.stateless_call(t, rest, x)[0])))(trainable)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(model(x, training=False))
    return tape.gradient(value, model.trainable_variables)
