"""SavedModels of whole pipelines: from a picture to what a predictor returns."""

import importlib.metadata
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.cards.card import Card, pretty
from hrnet_tf.convert.formats.origin import LIBRARIES
from hrnet_tf.files import whole_folder
from hrnet_tf.opening import Opened, as_network, open_network, with_scores
from hrnet_tf.runtime.keras_model import input_shapes, named_outputs
from hrnet_tf.runtime.network import fixed_size
from hrnet_tf.tasks import pipeline_of, task_named
from hrnet_tf.tasks.pipelines import Pipeline
from hrnet_tf.training.data.synthetic.scenes import draw_scene

SCENE = (240, 320)  # of the drawing that is verified, height and width
NOISE = 1e-3  # relative difference of numbers that counts as none
# Shares of numbers that may differ by more, where steps within flat maps amplify noise, and of
# labels that may differ, where two classes are equally likely.
UNSTABLE, UNLIKE = 0.05, 0.001


@dataclass(frozen=True)
class PipelineSource:
    """A network with the pipeline that is to be written.

    Attributes:
        opened: the network.
        card: its card.
        options: of prediction.
        pipeline: of its task.
    """

    opened: Opened
    card: Card
    options: object
    pipeline: Pipeline


def open_pipeline(
    model: str | os.PathLike | keras.Model,
    weights: str | os.PathLike | None,
    size: tuple[int, int] | None,
    card: Card | None,
    prediction: Mapping[str, object],
) -> PipelineSource:
    """Opens a network and makes its pipeline; arguments as of `to_savedmodel`.

    Raises:
        OSError, ValueError: it cannot be opened, has no card or no pipeline, or an option does not
            fit.
    """
    opened = open_network(model, weights, input_shape=None if size is None else (*size, 3))
    network = opened.model
    if network is None:
        raise ValueError(
            f"{opened.name}: is a converted file, whose layers are not known any more. Give the "
            "network that it was made from."
        )
    card = with_scores(card or opened.card, network)
    if card is None:
        raise ValueError(
            f"`card` must say how to feed {opened.name} and what its outputs mean. Received: "
            "card=None. Write one beside its file with hrnet_tf.write_card."
        )
    named = as_network(network, card)
    card.check_inputs(named.inputs)
    card.check(named.outputs)
    task = task_named(card.task)
    options = task.chosen(prediction)
    task.predictor(named, card, options)  # refuses options that do not fit
    fixed = fixed_size(named)
    if size and fixed != tuple(size):
        raise ValueError(
            f"{opened.name}: `size` must be the network's own, {fixed or 'which is open'}. "
            f"Received: size={size}. Leave --size out, or name the preset and give --weights."
        )
    function = pipeline_of(card.task).pipeline
    return PipelineSource(
        opened, card, options, function(_tensors(network, card), card, options, fixed)
    )


def _tensors(model, card):
    """The network as a function from tensors by name to tensors by the names of its card."""
    names, shapes = [*card.outputs()], input_shapes(model)

    def call(*tensors):
        found = model(keras.tree.pack_sequence_as(model.input, tensors), training=False)
        found = named_outputs(found)
        return dict(zip(names, found.values(), strict=True)) if len(found) == 1 else found

    # Traced once, and called by all signatures.
    signature = [tf.TensorSpec((None, *shape), tf.float32) for shape in shapes.values()]
    traced = tf.function(call, autograph=False, input_signature=signature)
    return lambda arrays: traced(*(arrays[name] for name in shapes))


def write(source: PipelineSource, output: Path, overwrite: bool, verify: bool) -> list[str]:
    """Writes the folder, with the card in `assets`; it appears whole or not at all.

    Returns:
        What is to be reported.

    Raises:
        OSError, ValueError: it cannot be written, or computes something else than the predictor.
    """
    signatures, module = source.pipeline.signatures, tf.Module()
    traced = {name: each.get_concrete_function() for name, each in signatures.items()}
    module.captured = [*{id(v): v for each in traced.values() for v in each.variables}.values()]
    with tempfile.TemporaryDirectory() as folder, whole_folder(output, overwrite) as part:
        path = Path(folder, "card.json")
        fields = json.loads(source.card.to_json())
        path.write_text(pretty({**fields, "conversion": _origin(source)}) + "\n", encoding="utf-8")
        module.card = tf.saved_model.Asset(str(path))
        tf.saved_model.save(module, str(part), signatures=signatures)
        return [verified(source, part)] if verify else []


def _origin(source):
    return {
        "source": Path(source.opened.name).name,
        "source_sha256": source.opened.sha256,
        "options": {name: getattr(source.options, name) for name in vars(source.options)},
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def verified(source: PipelineSource, folder: Path) -> str:
    """Compares a folder with the predictor on a drawing of people; returns a sentence.

    Raises:
        ValueError: they differ by more than float noise.
    """
    loaded = tf.saved_model.load(str(folder)).signatures["pixels"]
    task, image, given = task_named(source.card.task), *_example()
    given = given if task.wants_boxes else {}
    network = as_network(source.opened.network, source.card)
    predictor = task.predictor(network, source.card, source.options)
    wanted = source.pipeline.arrays(predictor(image, *given.values()))
    batched = len(loaded.structured_input_signature[1]["image"].shape) == 4
    found = loaded(image=tf.constant(image[None] if batched else image), **given)
    words = []
    for name, each in wanted.items():
        far, what = _distance(found[name].numpy(), np.asarray(each))
        words.append(f"{name} {what}")
        if far:
            raise ValueError(
                f"{source.opened.name}: its pipeline in TensorFlow's graph returns other {name} "
                f"than the predictor ({what}), so it is not written. Please report this."
            )
    return f"On a drawing the folder and the predictor differ by: {', '.join(words)}."


def _example():
    scene = draw_scene(np.random.default_rng(0), SCENE)
    boxes = np.float32([person.box for person in scene.people])
    return scene.image, {"boxes": tf.constant(boxes)}


def _distance(found, wanted):
    """Whether two arrays differ by more than noise, and how much they differ, in words."""
    if found.shape != wanted.shape:
        return True, f"{found.shape} in place of {wanted.shape}"
    if wanted.dtype.kind == "f":
        gap = np.abs(found.astype(np.float64) - wanted)
        far = np.mean(gap > NOISE * (1 + np.abs(wanted))) if gap.size else 0.0
        return bool(far > UNSTABLE), f"{gap.max(initial=0.0):.1g}"
    share = np.mean(found != wanted) if wanted.size else 0.0
    return bool(share > UNLIKE), f"{share:.1%} of labels" if share else "nothing"
