"""Quantization-aware training: a network learns to compute with rounded numbers.

`training.train` trains it by its recipe, with fake quantization where an int8 file rounds, as a
variant of the `Training` of its task. The result is a plain `.keras` file, whose conversion to int8
loses less.

The tools of tensorflow-model-optimization, see `tfmot`, wrap one layer after the other, for older
Keras only; here ranges are shared along concatenations and sums, as in the file.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.cards.files import save_model
from hrnet_tf.convert.graph.compute import Weights, compute
from hrnet_tf.convert.integers.plan import plan as make_plan
from hrnet_tf.convert.integers.simulate import LEAST, Plan, rounded
from hrnet_tf.convert.source import Source, plain_graph
from hrnet_tf.runtime.keras_model import named_outputs
from hrnet_tf.runtime.network import Arrays
from hrnet_tf.training.loop.imitation import Imitation, to_imitate
from hrnet_tf.training.loop.workdir import differing_values, is_finished
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.task import Training, training_named
from hrnet_tf.training.train import train


class FakeQuantized(keras.layers.Layer):
    """A plan as a layer: images (B, H, W, 3) to its output, rounded as in an int8 file.

    Kernels and biases are trained; the ranges of results stay those of the plan. Adam's update is
    as large for a weight of 1e-3 as for one of 1, and after equalization channels differ 1000-fold.
    So the variables are shares of the largest number that int8 can store in the channel.
    """

    def __init__(self, plan: Plan):
        super().__init__(name="fake_quantized", dtype="float32")
        self._plan, self._units = plan, units(plan)
        self._shares = {
            node: {
                name: self.add_weight(
                    name=f"{node.name}.{name}",
                    shape=value.shape,
                    initializer=lambda *_, share=value / self._units[node][name], **__: share,
                )
                for name, value in weights.items()
            }
            for node, weights in plan.weights.items()
        }

    def call(self, images):
        plan = self._plan
        found = compute(plan.graph, {"image": images}, rounded(self.values()), plan.mark)
        return found if len(found) > 1 else next(iter(found.values()))

    def values(self) -> Weights:
        """Weights of each node as tensors."""
        return {
            node: {name: each.value * self._units[node][name] for name, each in shares.items()}
            for node, shares in self._shares.items()
        }


def units(plan: Plan) -> Weights:
    """The largest numbers that int8 stores in each channel of a kernel and in a bias."""
    readers, found = plan.graph.readers(), {}
    for node, values in plan.weights.items():
        axes = (0, 1) if node.kind == "depthwise" else tuple(range(values["kernel"].ndim - 1))
        most = np.abs(values["kernel"]).max(axes, keepdims=True)
        result = node if node in plan.ranges or not readers[node] else readers[node][0]
        low, high = plan.ranges.get(result, (-1.0, 1.0))
        found[node] = {"kernel": np.maximum(most, LEAST), "bias": np.float32((high - low) / 2)}
    return found


def fine_tune(
    source: Source,
    examples: Arrays,
    recipe: Recipe,
    workdir: Path,
    precision: str = "int8",
    overwrite: bool = False,
    distribute: str = "auto",
) -> Path:
    """Trains a network for int8, goes on with an unfinished run or takes a finished one; the file.

    Its targets are the outputs of the unquantized network on the recipe's data, not labels.

    Args:
        source: a network.
        examples: "image" (N, H, W, 3) float32, as the network takes it, to measure ranges on.
        recipe: data and values, such as `qat_recipe` makes of the recipe of the network.
        workdir: folder of the run, as in `train`.
        precision: an int8 one of `precisions.PRECISIONS`.
        overwrite: replace a run of another recipe.
        distribute: a name of `distribute.STRATEGIES`.

    Raises:
        OSError, ValueError, FloatingPointError, KeyboardInterrupt: as `train`.
    """
    workdir = Path(workdir)
    same = (workdir / "recipe.json").is_file() and not differing_values(workdir, recipe)
    if same and is_finished(workdir):
        return workdir / "model.keras"
    graph = plain_graph(source.model, source.card)
    fixed = [node.name for node in graph.nodes if node.weights and "bias" not in node.weights]
    if fixed:
        raise ValueError(
            f"{fixed[0]}: has neither bias nor normalization, so what int8 wants to add there "
            "cannot go back into the network. Convert it without training."
        )
    plan = make_plan(graph, precision, examples)
    training = aware_training(training_named(recipe.task), source, plan)
    return train(recipe, workdir, overwrite and not same, distribute, training=training)


def aware_training(training: Training, source: Source, plan: Plan) -> Training:
    """A task's training, changed to train the plan of a network to answer as the network does."""
    teacher = with_outputs(source.model, [*plan.graph.outputs])

    def trainee(network, recipe):
        image = keras.Input(plan.graph.inputs["image"].shape, name="image")
        return keras.Model(image, FakeQuantized(plan)(image), name=plan.graph.name)

    def batches(*args, **kwargs):
        return to_imitate(training.batches(*args, **kwargs))

    def publish(network, trainee, recipe, path):
        (layer,) = (each for each in trainee.layers if isinstance(each, FakeQuantized))
        weights = {
            node: {name: np.asarray(value) for name, value in values.items()}
            for node, values in layer.values().items()
        }
        save_model(with_weights(network, weights), source.card, path)

    return dataclasses.replace(
        training,
        network=lambda recipe: source.model,
        published=None,
        start=lambda network, recipe: "",  # the source has its weights
        trainee=trainee,
        batches=batches,
        loss=lambda recipe: Imitation(teacher, (training.distance or training.loss)(recipe)),
        publish=publish,
    )


def with_outputs(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """The model with these outputs alone; a lone output may have another name."""
    found = named_outputs(model.output)
    if len(found) == 1:
        return model
    chosen = {name: found[name] for name in names}
    return keras.Model(model.input, chosen if len(names) > 1 else chosen[names[0]])


def qat_recipe(recipe: Recipe, source: Source, epochs: int, learning_rate: float) -> Recipe:
    """The recipe of a network, changed to train it on for int8: briefly, at a small rate.

    The last weights count: what tells the best ones apart is left for the converted file.
    """
    return dataclasses.replace(
        recipe.for_card(source.card),
        input_size=source.input_size,
        weights=source.name,
        epochs=epochs,
        learning_rate=learning_rate,
        milestones=(max(1, epochs * 2 // 3),),
        optimizer="adam",
        weight_decay=0.0,
        power=0.0,
        head_rate=1.0,
        bias_rate=1.0,
        decay_biases=True,
        evaluate_every=0,
        val_annotations="",
        warmup_steps=0,
        ema=0.0,
        precision="float32",
        frozen_norm=False,
        sync_norm=False,
    )


def with_weights(model: keras.Model, weights: Weights) -> keras.Model:
    """A copy of a network with the weights of its graph after `fold_norms`.

    Normalization stays in the network, but only adds: its scale is in the kernels.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for node, values in weights.items():
        bias = values.get("bias")
        if "norm" in node.settings:
            norm = copy.get_layer(node.settings["norm"])
            plain = {"gamma": 1.0, "beta": bias, "moving_mean": 0.0}
            plain["moving_variance"] = 1.0 - norm.epsilon
            for variable in norm.weights:
                variable.assign(np.broadcast_to(plain[variable.name], variable.shape))
            bias = 0.0
        for variable in copy.get_layer(node.name).weights:
            value = values["kernel"] if "kernel" in variable.name else bias
            variable.assign(np.broadcast_to(value, variable.shape))
    return copy
