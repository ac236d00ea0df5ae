"""TFLite's metadata: how to feed a file and what it returns, as Android Studio and Netron show it.

MediaPipe's ImageClassifier and ImageSegmenter take the mean and deviation of images from here, and
the classes from `labels.txt`, which is zipped to the end of the file. Version 1.2 opens files that
take and give floats, of one mean and one deviation for all channels: not those of ImageNet.

The tables are those of `metadata_schema.fbs` 1.5.0 (TFLite Support, MediaPipe).
"""

import io
import zipfile
from collections.abc import Mapping

import flatbuffers
import numpy as np

from hrnet_tf.cards.card import Card
from hrnet_tf.convert.formats.flatbuffer import packed

# The fields of each table in the order of the schema; a union has two, its type before it.
MODEL = ("name", "description", "version", "graphs")
GRAPH = ("name", "description", "inputs", "outputs", "files", "before", "after")
GRAPH += ("input_groups", "output_groups", "custom")
TENSOR = ("name", "description", "axes", "content", "steps", "statistics", "files")
CONTENT = ("kind", "properties")
IMAGE = ("color_space",)
STEP = ("kind", "options")
NORMALIZATION = ("mean", "std")
FILE = ("name", "description", "kind")
CUSTOM = ("name", "data")
SEGMENTER = ("activation",)  # image_segmenter_metadata_schema.fbs of MediaPipe

RGB, IMAGES, FEATURES, NORMALIZE, AXIS_LABELS, SOFTMAX = map(np.uint8, (1, 2, 1, 1, 2, 2))
GREY = np.uint8(2)
LABELS = "labels.txt"


def with_metadata(content: bytes, card: Card, name: str) -> bytes:
    """A `.tflite` file with metadata, which computes the same; its weights are aligned to 16 bytes.

    Args:
        content: of the file.
        card: how to feed it and what its outputs mean.
        name: of the network.

    Returns:
        The content of the new file, always the same for the same arguments.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    data = np.frombuffer(_metadata(model, card, name), np.uint8)
    entry = schema.MetadataT("TFLITE_METADATA", len(model.buffers))
    model.metadata = [*(model.metadata or ()), entry]
    model.buffers.append(schema.BufferT(data))
    file = io.BytesIO()
    file.write(packed(model))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), "\n".join(card.labels()))  # undated
    return file.getvalue()


def _metadata(model, card, name):
    (signature,) = model.signatureDefs
    ends = (*signature.inputs, *signature.outputs)
    names = {each.tensorIndex: each.name.decode() for each in ends}
    graph, wanted = model.subgraphs[0], card.outputs()
    inputs = [names[index] for index in graph.inputs]
    # MediaPipe's ImageSegmenter gives raw logits unless the file names the activation.
    softmax = _written(_table(SEGMENTER, activation=SOFTMAX), b"V001")
    custom = _table(CUSTOM, name="SEGMENTER_METADATA", data=np.frombuffer(softmax, np.uint8))
    logits = getattr(card, "scores", "logits") == "logits"
    softmaxed = logits and len(wanted.get("logits", ())) == 3
    graphs = _table(
        GRAPH,
        inputs=[_image(card) if each == "image" else _tensor(each) for each in inputs],
        outputs=[_output(card, names[index]) for index in graph.outputs],
        custom=[custom] if softmaxed else None,
    )
    description = f"{card.task}: {card.returns} of {card.meaning}"
    return _written(_table(MODEL, name=name, description=description, graphs=[graphs]), b"M001")


def _image(card):
    """The input that is an image, in grey levels."""
    mean, std = (255 * np.float32(each) for each in (card.mean, card.std))
    if card.channels == "bgr":
        mean, std = mean[::-1], std[::-1]
    order = card.channels.upper()
    return _table(
        TENSOR,
        name="image",
        description=f"{order}: (grey level 0..255 - mean) / std, in integers by scale and zero "
        "point",
        content=_table(
            CONTENT,
            kind=IMAGES,
            properties=_table(IMAGE, color_space=RGB if len(mean) == 3 else GREY),
        ),
        steps=[_table(STEP, kind=NORMALIZE, options=_table(NORMALIZATION, mean=mean, std=std))],
        statistics=_table(("max", "min"), max=(255 - mean) / std, min=-mean / std),
    )


def _output(card, name):
    """An output, with the names behind one of its axes where the card has them."""
    wanted, decoded, labels = card.outputs(), card.decoder(), card.labels()
    description, labelled = None, False
    if name in wanted:
        description = f"{card.returns}: {card.meaning}"
        labelled = wanted[name][-1] == len(labels)
    elif decoded and name == decoded.name:
        description, labelled = decoded.meaning, True
    words = "names of classes or keypoints"
    file = _table(FILE, name=LABELS, description=words, kind=AXIS_LABELS)
    return _tensor(name, description, [file] if labelled else None)


def _tensor(name, description=None, files=None):
    """A tensor that is no image."""
    content = _table(CONTENT, kind=FEATURES, properties=_table(()))
    return _table(TENSOR, name=name, description=description, content=content, files=files)


def _table(fields, **values):
    return {fields.index(name): value for name, value in values.items() if value is not None}


def _written(table: Mapping, identifier: bytes) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, table), identifier)
    return bytes(builder.Output())


def _write(builder, value):
    """Where in the buffer a text, an array, a list of tables or a table begins."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        builder.Prep(16, value.nbytes)  # as the schema demands of custom metadata
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        places = [_write(builder, each) for each in value]
        builder.StartVector(4, len(places), 4)
        for each in reversed(places):
            builder.PrependUOffsetTRelative(each)
        return builder.EndVector()
    places = {
        n: _write(builder, each) for n, each in value.items() if not isinstance(each, np.uint8)
    }
    builder.StartObject(max(value, default=-1) + 1)
    for slot, each in value.items():
        if slot in places:
            builder.PrependUOffsetTRelativeSlot(slot, places[slot], 0)
        else:
            builder.PrependUint8Slot(slot, each, 0)
    return builder.EndObject()
