"""Finds the people in images: detectors of several kinds, each as a function `Detector`."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.files import existing
from hrnet_tf.names import did_you_mean
from hrnet_tf.opening import known_card
from hrnet_tf.patches.keras_hub import decode_persons
from hrnet_tf.presets import PRESETS
from hrnet_tf.runtime.converted import RUNTIMES, dequantize, open_interpreter
from hrnet_tf.runtime.keras_files import RUN
from hrnet_tf.runtime.keras_model import compiled
from hrnet_tf.tasks.detection.boxes import choose, fit
from hrnet_tf.tasks.detection.card_detector import card_detector
from hrnet_tf.tasks.detection.options import Choice
from hrnet_tf.tasks.streaming import Timings
from hrnet_tf.tasks.task import BoxSource

# From images (H, W, 3) uint8 RGB of any sizes to a pair for each image, best first: boxes (N, 4) as
# x, y, width, height in pixels of the image, and scores (N,).
Detector = Callable[[Sequence[np.ndarray]], list[tuple[np.ndarray, np.ndarray]]]

DEFAULT = "dfine_nano_coco"  # COCO AP 42.8 with 3.8 M parameters (Peng et al. 2024); Apache-2.0
# Number of classes -> index of the person. 91: COCO as torchvision counts it, with background 0.
PERSON = {1: 0, 80: 0, 91: 1}


def detector(
    name: str | os.PathLike, choice: Choice | None = None, person: int | None = None
) -> Detector:
    """Opens a detector by what a user typed.

    Args:
        name: "none" for the whole image; a detection preset of this package, or a `.keras`,
            `.tflite` or `.onnx` file with its card; a `.tflite` file without one; or what KerasHub
            takes (`ObjectDetector.from_preset`): a preset, a folder, `hf://…`, `kaggle://…`.
        choice: which boxes count.
        person: index of the class of people; told by its name or the number of classes if None.

    Returns:
        A `Detector`.

    Raises:
        OSError, ValueError: it cannot be opened; one sentence.
    """
    if str(name) == "none":
        return whole_image
    if Path(name).suffix == ".json":
        raise ValueError(
            "`detector` must be none, a preset or a .keras, .tflite or .onnx file. "
            f"Received: {name}. Boxes from a file go into --boxes."
        )
    return _kind(name)(name, choice, person)


def _kind(name):
    """The function that opens a detector: the card decides, and without one the suffix."""
    suffix = Path(name).suffix
    if suffix in (".keras", *RUNTIMES):
        existing(name)
    if Path(name).is_dir() and not (Path(name) / RUN).is_file():
        return keras_hub_detector  # a preset in a folder
    if known_card(name) is not None or suffix in (".keras", ".onnx") or str(name) in PRESETS:
        return card_detector
    return tflite_detector if suffix == ".tflite" else keras_hub_detector


def default_detector(choice: Choice | None = None) -> tuple[Detector, str]:
    """The detector if none was chosen: `DEFAULT` if it can be fetched, else the whole image.

    Returns:
        The detector, and in words what it is.
    """
    try:
        return detector(DEFAULT, choice), f"{DEFAULT} of KerasHub."
    except (OSError, ValueError) as error:
        return whole_image, f"none, each picture is taken for one person. {error}"


def of_people(names: Sequence[str]) -> bool:
    """Whether keypoints of these names are those of people, and not of a face, hand or animal."""
    text = " ".join(names).lower()
    return "shoulder" in text and ("wrist" in text or "ankle" in text)


def detected(detector: Detector, timings: Timings) -> BoxSource:
    """Boxes of a detector, one image at a time; notes the stage "detect"."""

    def boxes_for(key, image):
        start = time.perf_counter()
        [found] = detector([image])
        timings.add("detect", time.perf_counter() - start)
        return found

    return boxes_for


def whole_image(images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The detector for pictures of one person each: a box of the size of the image, of score 1."""
    sizes = (image.shape[1::-1] for image in images)
    return [(np.array([[0, 0, *size]], np.float32), np.ones(1, np.float32)) for size in sizes]


def keras_hub_detector(
    model: str | os.PathLike | object, choice: Choice | None = None, person: int | None = None
) -> Detector:
    """A KerasHub object detector, such as RetinaNet or D-FINE.

    The image is stretched to the size that the preprocessor names, or fitted into it with black
    borders if that has `pad_to_aspect_ratio`. If it has `crop_to_aspect_ratio`, the image is
    stretched too, because cropping would lose people at its edges.

    Args:
        model: a preset (see `detector`), or the model.
        choice: which boxes count.
        person: index of the class of people; told by the number of classes if None.

    Raises:
        OSError: a preset that cannot be fetched; KerasHub is not installed.
        ValueError: no such preset, a model of no known input size or class of people.
    """
    if isinstance(model, str | os.PathLike):
        model = _open_preset(str(model))
    converter = getattr(model.preprocessor, "image_converter", None)
    size = getattr(converter, "image_size", None) or model.input_shape[1:3]
    letterbox = getattr(converter, "pad_to_aspect_ratio", False)
    if None in size:
        raise ValueError(
            "`model` must take images of one size, or have a preprocessor whose image converter "
            f"names it. Received: input_shape={model.input_shape}."
        )
    if person is None and model.num_classes not in PERSON:
        raise ValueError(
            "`person` must be the index of the class of people for a detector of "
            f"{model.num_classes} classes. Received: person=None."
        )
    person = PERSON[model.num_classes] if person is None else person
    if not 0 <= person < model.num_classes:
        raise ValueError(
            f"`person` must be from 0 to {model.num_classes - 1}. Received: person={person}."
        )
    # KerasHub 0.32 decodes the boxes of D-FINE to yxyx, whatever format the model has.
    source = "yxyx" if "pred_boxes" in model.output else model.bounding_box_format

    def predict(images):
        images = model.preprocessor(images) if model.preprocessor else images
        found = decode_persons(model, model(images, training=False), images, person)
        corners = keras.utils.bounding_boxes.convert_format(
            found["boxes"], source=source, target="xyxy", height=size[0], width=size[1]
        )
        return corners, found["confidence"]

    predict = compiled(predict, (None, *size, 3))

    def detect(images):
        if not len(images):
            return []
        pixels, places = zip(*(fit(image, size, letterbox) for image in images), strict=True)
        found = predict(np.stack(pixels).astype(np.float32))
        rows = zip(images, places, *map(ops.convert_to_numpy, found), strict=True)
        return [
            choose((corners.reshape(-1, 2, 2) - shift) / scale, each, image.shape[:2], choice)
            for image, (scale, shift), corners, each in rows
        ]

    return detect


def _open_preset(name):
    try:
        import keras_hub
    except ImportError as error:
        raise OSError(
            f"{name} needs KerasHub: pip install keras-hub; or take a .tflite detector."
        ) from error
    try:
        try:
            return keras_hub.models.ObjectDetector.from_preset(name)
        except TypeError:  # saved as a backbone, which itself knows the number of classes
            backbone = keras_hub.models.Backbone.from_preset(name)
            return keras_hub.models.ObjectDetector.from_preset(
                name, backbone=backbone, num_classes=backbone.num_labels
            )
    except Exception as error:  # of kagglehub, requests, Hugging Face and KerasHub
        kinds = {kind.__name__ for kind in type(error).__mro__}
        offline = kinds & {"ConnectionError", "Timeout", "MaxRetryError"}
        reason = (
            "no connection to its server"
            if offline
            else str(error).strip().split("\n")[0].split(". ")[0]
        )
        raise (OSError if isinstance(error, OSError) else ValueError)(
            f"{name}: KerasHub cannot open it: {reason[:160] or type(error).__name__}."
            f"{_similar(name)}"
        ) from error


def _similar(name):
    """A hint if the name is much like those of detection presets of this package."""
    ours = [each for each, preset in PRESETS.items() if isinstance(preset.card, DetectionCard)]
    hint = did_you_mean(name, ours, cutoff=0.8)
    return hint if hint.startswith(" Did") else ""


def tflite_detector(
    path: str | os.PathLike, choice: Choice | None = None, person: int | None = None
) -> Detector:
    """A TFLite detector with the usual four outputs, as SSD and EfficientDet-Lite have them.

    Outputs are boxes (1, N, 4) as top, left, bottom, right, fractions of the image; classes (1, N);
    scores (1, N); their number (1,). Exporters order them differently: classes are the output of
    whole numbers, scores the other. The image is stretched to the input. A uint8 input takes grey
    levels, int8 takes grey levels minus 128, float32 takes -1..1.

    Args:
        path: a `.tflite` file.
        choice: which boxes count.
        person: index of the class of people; 0 if None, as in COCO after the post-processing.

    Raises:
        OSError: no such file; the interpreter is not installed.
        ValueError: not a TFLite file, or one of other inputs or outputs.
    """
    try:
        interpreter = open_interpreter(existing(path))
    except ModuleNotFoundError as error:
        raise OSError(f"{path} needs its interpreter: pip install ai-edge-litert.") from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    takes, gives = ([tuple(each["shape"].tolist()) for each in all] for all in (inputs, outputs))
    ranks = sorted(map(len, gives))
    if [shape[3:] for shape in takes] != [(3,)] or len(ranks) != 4 or ranks[1:] != [2, 2, 3]:
        raise ValueError(
            f"{path}: a detector must take an RGB image and return boxes (1, N, 4), classes (1, N),"
            f" scores (1, N) and their number. Received: inputs {takes}, outputs {gives}."
        )
    [entry], [(_, height, width, _)] = inputs, takes

    def detect_one(image):
        pixels = fit(image, (height, width), letterbox=False)[0]
        interpreter.set_tensor(entry["index"], _quantized(pixels, entry["dtype"])[None])
        interpreter.invoke()
        found = [dequantize(interpreter.get_tensor(each["index"]), each) for each in outputs]
        boxes, classes, scores = _sorted_out(found)
        boxes = boxes[classes == (person or 0)][:, [1, 0, 3, 2]].reshape(-1, 2, 2)
        return choose(
            boxes * image.shape[1::-1], scores[classes == (person or 0)], image.shape[:2], choice
        )

    return lambda images: [detect_one(image) for image in images]


def _quantized(pixels, dtype):
    """Grey levels 0..255 as the numbers that the input takes."""
    if dtype == np.int8:
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return pixels if dtype == np.uint8 else (pixels / 127.5 - 1).astype(dtype)


def _sorted_out(found):
    """Boxes (n, 4), classes (n,) and scores (n,) from the four outputs, in any order."""
    by_rank = sorted(found, key=np.ndim)
    count = int(by_rank[0].item())
    classes, scores, boxes = (each[0, :count] for each in by_rank[1:])
    if np.any(classes != np.round(classes)):
        classes, scores = scores, classes
    return boxes, np.round(classes), scores
