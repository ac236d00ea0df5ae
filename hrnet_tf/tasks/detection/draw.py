"""Drawings of objects on pictures: boxes, masks and labels in the colours of their classes."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as coco_mask

from hrnet_tf.labels.classes import Color
from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.tasks.detection.label_places import place_labels
from hrnet_tf.tasks.drawing import INK, OUTLINE, legend, tint

COVER = 0.45  # opacity of masks
LIGHT = (0.55, 0.68, 0.42)  # lightness of the colours of consecutive classes


def class_color(index: int) -> Color:
    """The colour of a class: the same one in every picture."""
    return tint(index, LIGHT[index % len(LIGHT)])


def draw_detections(
    image: np.ndarray,
    found: Detections,
    names: Sequence[str],
    draw_threshold: float = 0.3,
    ids: Sequence[int] | None = None,
    explain: bool = True,
) -> Image.Image:
    """Draws objects on a copy of a picture; small ones lie over large ones.

    The label of an object is placed where it hides no other label. Objects without such a place are
    explained by a legend below the picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        found: the objects; boxes in pixels of `image`.
        names: names of the classes.
        draw_threshold: objects with a lower score are left out.
        ids: numbers of the objects in a video, which then tell their colours and labels.
        explain: whether there may be a legend; without it the result has the picture's size.
    """
    shown = np.flatnonzero(found.scores >= draw_threshold)
    ids = None if ids is None else [ids[row] for row in shown]
    found = found.chosen(shown)
    numbers = range(len(found))
    colors = [tint(ids[i], 0.6) if ids else class_color(int(found.classes[i])) for i in numbers]
    order = np.argsort(-found.boxes[:, 2] * found.boxes[:, 3], kind="stable")
    pixels = np.array(image)
    if found.masks is not None:
        for row in order:
            _paint(pixels, found.masks[row], colors[row])
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    for row in order:
        _draw_box(canvas, picture.size, found.boxes[row], colors[row])
    texts = [
        f"{ids[i]} {names[found.classes[i]]}"
        if ids
        else f"{names[found.classes[i]]} {found.scores[i]:.2f}"
        for i in numbers
    ]
    unnamed = _draw_labels(canvas, picture.size, found.boxes, texts, colors)
    if not explain or not unnamed:
        return picture
    classes = dict.fromkeys(int(found.classes[row]) for row in unnamed)
    below = legend([(names[i], class_color(i)) for i in classes], picture.width, max(picture.size))
    return Image.fromarray(np.concatenate([np.asarray(picture), below]))


def _paint(pixels, mask, color):
    """Tints the pixels of a mask and draws its edge, in place."""
    x, y, width, height = coco_mask.toBbox(mask).astype(int)
    part = np.s_[y : y + height, x : x + width]
    inside = coco_mask.decode(mask)[part].astype(bool)
    if not inside.any():
        return
    padded = np.pad(inside, 1)
    inner = inside.copy()
    for shift in (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:]):
        inner &= padded[shift]
    cover = np.where(inside & ~inner, 0.9, COVER * inside)[..., None]
    mixed = pixels[part] * (1 - cover) + np.array(color) * cover
    pixels[part] = np.round(mixed).astype(np.uint8)


def _draw_box(canvas, size, box, color):
    """Draws a box around its object, so that a small object stays visible; within the picture."""
    thick = max(1, round(0.0025 * max(size)))
    low, high = box[:2], box[:2] + box[2:] - 1  # centres of the first and the last pixel
    end = np.array(size) - 1
    for rim, hue in ((thick + 1, OUTLINE[:3]), (thick, color)):
        corners = [*np.clip(low - rim, 0, end), *np.clip(np.maximum(high, low) + rim, 0, end)]
        canvas.rectangle([round(float(v)) for v in corners], None, hue, rim)


def _draw_labels(canvas, size, boxes, texts, colors):
    """Draws labels, best objects first; returns the indices of objects without a label."""
    height = int(np.clip(0.018 * max(size), 11, 48))
    font, margin = ImageFont.load_default(height), round(0.25 * height)
    sides = [(round(font.getlength(text)) + 2 * margin, round(1.3 * height)) for text in texts]
    corners, unnamed = place_labels(np.asarray(boxes, np.float64), sides, size), []
    for row, (text, color, corner) in enumerate(zip(texts, colors, corners, strict=True)):
        if corner is None:
            unnamed.append(row)
            continue
        (x, y), (width, tall) = corner, sides[row]
        canvas.rectangle([x, y, x + width - 1, y + tall - 1], color, OUTLINE[:3])
        bright = np.dot(color, (0.299, 0.587, 0.114)) > 110
        ink = INK if bright else (255, 255, 255)
        canvas.text((x + margin, y + tall / 2), text, ink, font, "lm")
    return unnamed
