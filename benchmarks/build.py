"""What an import and a network cost: `python benchmarks/build.py`.

Prints the time that `import hrnet_tf` adds to `import keras`, each in its own process, and the time
to build W32 as a ratio to creating the same layers by hand.
"""

import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers

import hrnet_tf

ROUNDS = 5


def import_seconds():
    """Median seconds that our import adds to Keras's."""
    code = (
        "import keras, time; start = time.perf_counter(); import hrnet_tf; "
        "names = [getattr(hrnet_tf, name) for name in hrnet_tf.__all__]; "  # they come on first use
        "print(time.perf_counter() - start)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(ROUNDS)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def recipe(model):
    """(class, arguments, names of the inputs, name) of every layer, in a buildable order."""
    steps = []
    for layer in model.layers[1:]:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        sources = [tensor._keras_history.operation.name for tensor in inputs]
        steps.append((type(layer), _arguments(layer), sources, layer.name))
    return steps


def _arguments(layer):
    match layer:
        case layers.Conv2D():
            names = ("filters", "kernel_size", "strides", "padding", "use_bias")
        case layers.BatchNormalization():
            names = ("momentum", "epsilon")
        case layers.Activation():
            names = ("activation",)
        case layers.ZeroPadding2D():
            names = ("padding",)
        case layers.UpSampling2D():
            names = ("size", "interpolation")
        case _:
            names = ()
    return {name: getattr(layer, name) for name in names}


def by_hand(steps):
    """The same layers, created and called one after the other."""
    image = keras.Input((256, 192, 3), name="image")
    tensors = {"image": image}
    for cls, arguments, sources, name in steps:
        if cls is layers.Conv2D:
            arguments = {
                **arguments,
                "kernel_initializer": keras.initializers.RandomNormal(stddev=0.001),
            }
        inputs = [tensors[source] for source in sources]
        tensors[name] = cls(name=name, **arguments)(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(image, tensors[name])


def seconds(build):
    start = time.perf_counter()
    build()
    elapsed = time.perf_counter() - start
    keras.backend.clear_session()
    return elapsed


def main():
    print(f"import of all of hrnet_tf after import keras: {import_seconds():.3f} s")
    steps = recipe(hrnet_tf.pose("w32"))
    pairs = [
        (seconds(lambda: hrnet_tf.pose("w32")), seconds(lambda: by_hand(steps)))
        for _ in range(ROUNDS)
    ]
    ours, hand = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"build W32: {ours:.2f} s, by hand {hand:.2f} s, ratio {ours / hand:.2f}")


if __name__ == "__main__":
    main()
