"""The files and folders in which Keras keeps networks: opened, or said what they are."""

import shutil
import zipfile

import keras
import numpy as np
import pytest
from keras import layers, ops

from hrnet_tf.opening import open_network
from hrnet_tf.runtime.keras_files import load_weights

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")


def network(head=None, filters=2):
    image = keras.Input(SHAPE)
    x = layers.Conv2D(filters, 3, name="conv")(image)
    return keras.Model(image, head(x) if head else x)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return network()


def _run(model, folder):
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    return folder / "run"


def _saved(name):
    def build(model, folder):
        model.save(folder / name)
        return folder / name

    return build


def _loss(wanted, found):
    return ops.mean(wanted - found)


def _compiled(model, folder):
    """With a loss that is not known when the file is opened."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile(keras.optimizers.Adam(use_ema=True), _loss)
    copy.save(folder / "compiled.keras")
    return folder / "compiled.keras"


OPENED = {
    "keras": _saved("a.keras"),
    "h5": _saved("a.h5"),
    "hdf5": _saved("a.hdf5"),
    "the folder of a run": _run,
    "compiled": _compiled,
    "a model": lambda model, folder: model,
    "a sequential model": lambda model, folder: keras.Sequential([keras.Input(SHAPE), model]),
}


@pytest.mark.parametrize("name", OPENED)
def test_it_opens_as_a_functional_model_of_named_arrays(model, tmp_path, name):
    found = open_network(OPENED[name](model, tmp_path))
    assert len(found.model.inputs) == 1 and getattr(found.model, "optimizer", None) is None
    (output,) = found.network({"image": IMAGES}).values()
    assert np.allclose(output, model(IMAGES), atol=1e-6)


def _exported(model, folder):
    model.export(folder / "saved", verbose=False)
    return folder / "saved"


def _weights(name):
    def build(model, folder):
        model.save_weights(folder / "a.weights.h5")
        return shutil.move(folder / "a.weights.h5", folder / name)

    return build


def _renamed(suffix, name):
    def build(model, folder):
        model.save(folder / f"a{suffix}")
        return shutil.move(folder / f"a{suffix}", folder / name)

    return build


def _unpacked(model, folder):
    model.save(folder / "a.keras")
    zipfile.ZipFile(folder / "a.keras").extractall(folder / "b.keras")
    return folder / "b.keras"


def _preset(model, folder):
    (folder / "config.json").write_text("{}")
    (folder / "metadata.json").write_text('{"keras_hub_version": "0.32.0"}')
    return folder


def _archive(inside):
    def build(model, folder):
        with zipfile.ZipFile(folder / "a.keras", "w") as file:
            file.writestr(inside, b"")
        return folder / "a.keras"

    return build


def _lite(model, folder):
    (folder / "a.keras").write_bytes(b"\x1c\0\0\0TFL3" + bytes(99))
    return folder / "a.keras"


class Unknown(layers.Layer):
    """A layer that is not registered."""

    def call(self, x):
        return x


def _own(head, name="a.keras"):
    return lambda model, folder: _saved(name)(network(head), folder)


def _activation(x):
    return 2 * x


REFUSED = {
    "SavedModel": (_exported, r"saved: is a SavedModel, whose layers .* Give the \.keras file"),
    "folder": (lambda model, folder: folder, r"is a folder, and no network"),
    "unpacked": (_unpacked, r"b\.keras: is what a \.keras file has inside"),
    "KerasHub": (_preset, "is a preset of KerasHub. In Python, open it and save the model"),
    "weights": (_weights("a.weights.h5"), r"holds weights without a network. Name the preset"),
    "weights by another name": (_weights("a.h5"), "holds weights without a network. Build the"),
    "keras as h5": (
        _renamed(".keras", "a.h5"),
        r"is a Keras 3 file .* Rename it to end in \.keras",
    ),
    "h5 as keras": (_renamed(".h5", "a.keras"), r"is a HDF5 file by its content. Rename it .*\.h5"),
    "tflite as keras": (_lite, r"is a TFLite file by its content. Rename it to end in \.tflite"),
    "checkpoint as keras": (_archive("archive/data.pkl"), "is a checkpoint of PyTorch"),
    "zipped folder": (_archive("run/model.keras"), r"archive with run/model\.keras in it. Unpack"),
    "own layer": (
        _own(lambda x: Unknown()(x)),
        "has a layer of the class Unknown, which is not kn",
    ),
    "own layer in h5": (_own(lambda x: Unknown()(x), "a.h5"), "has a layer of the class Unknown"),
    "own function": (
        _own(lambda x: layers.Activation(_activation)(x)),
        "has a function _activation, which is not known",
    ),
    "lambda": (_own(lambda x: layers.Lambda(lambda y: 2 * y)(x)), "has a Lambda layer, whose code"),
    "another suffix": (lambda model, folder: folder / "a.pb", r"must be a preset or a \.keras"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_is_and_what_to_do_is_one_sentence(model, tmp_path, name):
    build, message = REFUSED[name]
    path = build(model, tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        open_network(path)
    text = str(error.value)
    assert "\n" not in text and str(path) in text


def test_weights_of_keras_load_into_their_architecture_alone(model, tmp_path, recwarn):
    path, other = _weights("w.weights.h5")(model, tmp_path), network()
    load_weights(other, path)
    assert np.array_equal(other(IMAGES), model(IMAGES))
    with pytest.raises(ValueError, match=r"w\.weights\.h5: does not fit functional"):
        load_weights(network(filters=3), path)
    assert not [each for each in recwarn if "container" in str(each.message)]
