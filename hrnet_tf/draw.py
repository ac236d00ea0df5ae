"""Skeletons and maps of classes on pictures: legible on any background, at any size."""

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hrnet_tf.classes import Color
from hrnet_tf.images import pixels
from hrnet_tf.keypoints import KeypointSet
from hrnet_tf.predict import Pose

OUTLINE = (24, 24, 28, 230)  # bright lines need a dark edge to show on snow and sky
PAPER, INK = (250, 250, 248), (32, 32, 36)  # of the legend
SMOOTH = 1400  # pixels: smaller persons are drawn larger and scaled down, which smooths the edges


def draw_poses(
    image: np.ndarray,
    poses: Sequence[Pose],
    keypoints: KeypointSet,
    min_score: float = 0.3,
    boxes: bool = False,
) -> np.ndarray:
    """Draws poses on a copy of a picture; small persons lie over large ones.

    A pose with an id has its number above it, always in the same colour. Lines grow with the person
    and the picture: a face in a crowd is not painted over, and a large photo still reads as a
    thumbnail.

    Args:
        image: (H, W, 3) uint8 RGB.
        poses: keypoints in pixels of `image`.
        keypoints: the set the poses follow: skeleton and colours.
        min_score: keypoints with a lower score, and their lines, are left out.
        boxes: draw the box of each pose too.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return pixels(pose_picture(image, poses, keypoints, min_score, boxes))


def pose_picture(
    image: np.ndarray,
    poses: Sequence[Pose],
    keypoints: KeypointSet,
    min_score: float = 0.3,
    boxes: bool = False,
) -> Image.Image:
    """What `draw_poses` draws, as a picture of Pillow."""
    picture = Image.fromarray(image)
    for pose in sorted(poses, key=lambda pose: -pose.box[2] * pose.box[3]):
        if boxes:
            _draw_box(picture, pose.box)
        _draw_pose(picture, pose, keypoints, pose.scores >= min_score)
    for pose in poses:
        if pose.id is not None and (pose.scores >= min_score).any():
            _draw_id(picture, pose)
    return picture


def draw_classes(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Color],
    alpha: float = 0.55,
    least_share: float = 0.001,
) -> np.ndarray:
    """Draws a map of classes over a copy of a picture, with outlines, and a legend below it.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) indices of `classes`; others, such as 255 for ignored, stay unpainted.
        classes: names.
        palette: RGB 0..255, one per class.
        alpha: how much of the colour covers the picture, 0..1.
        least_share: classes with a smaller share of the picture are not in the legend.

    Returns:
        (H + legend, W, 3) uint8 RGB.
    """
    known = labels < len(classes)
    colors = np.array([*palette, (0, 0, 0)], np.float32)[np.where(known, labels, len(classes))]
    cover = (alpha * known).astype(np.float32)[..., None]
    painted = image * (1 - cover) + colors * cover
    painted *= 1 - 0.65 * _edges(labels)[..., None]
    painted = np.round(painted).astype(np.uint8)
    shares = np.bincount(labels[known], minlength=len(classes)) / labels.size
    present = [i for i in np.argsort(-shares, kind="stable") if shares[i] >= least_share]
    entries = [(classes[i], tuple(palette[i])) for i in present]
    return np.concatenate([painted, _legend(entries, image.shape[1], max(image.shape[:2]))])


def label_picture(labels: np.ndarray, palette: Sequence[Color]) -> Image.Image:
    """A map of classes as a picture whose pixel values are the indices and whose colours show them.

    Args:
        labels: (H, W) uint8, or uint16, which a picture holds as grey levels without colours.
        palette: RGB 0..255, one per class.
    """
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette([level for color in palette[:256] for level in color])
    return picture


def _edges(labels):
    """1 where a class meets another, 0 elsewhere, softly in between; wider in large pictures."""
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    grow = round(0.0005 * max(labels.shape))
    mask = Image.fromarray(edge.astype(np.uint8) * 255)
    return np.asarray(mask.filter(ImageFilter.MaxFilter(2 * grow + 1)), np.float32) / 255


def _legend(entries, width, longest):
    """Colours and names in rows that fit the width; nothing for no entries."""
    size = int(np.clip(0.016 * longest, 11, 64))
    font, gap = ImageFont.load_default(size), round(0.5 * size)
    rows, x = [], width
    for name, color in entries:
        wide = size + gap + round(font.getlength(name))
        if x + wide > width - 2 * gap:
            rows.append([])
            x = 2 * gap
        rows[-1].append((x, name, color))
        x += wide + 3 * gap
    pitch = round(1.7 * size)
    picture = Image.new("RGB", (width, len(rows) * pitch + 2 * gap if rows else 0), PAPER)
    canvas = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        middle = gap + number * pitch + pitch / 2
        for x, name, color in row:
            corners = [x, middle - size / 2, x + size, middle + size / 2]
            canvas.rounded_rectangle(corners, size / 5, color, INK, max(1, size // 16))
            canvas.text((x + size + gap, middle), name, INK, font, "lm")
    return np.asarray(picture).reshape(-1, width, 3)


def _line_width(points, box, picture):
    """Width in pixels: more for a large person, and enough to see in the whole picture."""
    # A box may be the whole picture, the seen joints only a head: the truth lies between.
    person = np.sqrt(max(np.ptp(points, axis=0).max(), 1.0) * max(box[2], box[3]))
    return max(1.4, 0.18 * np.sqrt(person), min(0.004 * max(picture.size), 0.03 * person))


def _draw_pose(picture, pose, keypoints, visible):
    if not visible.any():
        return
    width = _line_width(pose.keypoints[visible], pose.box, picture)
    margin = 3 * width + 2
    low = np.maximum(np.floor(pose.keypoints[visible].min(axis=0) - margin), 0).astype(int)
    high = np.ceil(pose.keypoints[visible].max(axis=0) + margin).astype(int)
    size = np.minimum(high, picture.size) - low
    if size.min() <= 0:
        return
    zoom = int(np.clip(SMOOTH // size.max(), 1, 4))
    # Pixel centres are at integers, Pillow's coordinates start at the corner of the first pixel.
    points = (pose.keypoints + 0.5 - low) * zoom
    if zoom == 1:  # and a layer of the size of the person may not fit into memory
        canvas, points = ImageDraw.Draw(picture, "RGBA"), points + low
        _draw_skeleton(canvas, points, keypoints, visible, width, 0.8)
        return
    layer = Image.new("RGBA", tuple((size * zoom).tolist()))
    _draw_skeleton(ImageDraw.Draw(layer), points, keypoints, visible, width * zoom, 0.8 * zoom)
    layer = layer.reduce(zoom)
    picture.paste(layer, tuple(low.tolist()), layer)


def _draw_skeleton(canvas, points, keypoints, visible, width, least_rim):
    # Sets of many points (hands, faces) need smaller ones, or they hide each other.
    radius = width * (1.25 if len(points) <= 30 else 0.7)
    rim = max(0.35 * width, least_rim)
    limbs = [
        (points[a], points[b], (*color, 255))
        for (a, b), color in zip(keypoints.skeleton, keypoints.colors, strict=True)
        if visible[a] and visible[b]
    ]
    for start, end, _ in limbs:
        _line(canvas, start, end, width + 2 * rim, OUTLINE)
    for start, end, color in limbs:
        _line(canvas, start, end, width, color)
    for point, color, seen in zip(points, keypoints.point_colors, visible, strict=True):
        if seen:
            _disc(canvas, point, radius + rim, OUTLINE)
            _disc(canvas, point, radius, (*color, 255))


def _line(canvas, start, end, width, color):
    canvas.line([*start, *end], color, round(width))
    _disc(canvas, start, width / 2, color)
    _disc(canvas, end, width / 2, color)


def _disc(canvas, center, radius, color):
    canvas.ellipse([*(center - radius), *(center + radius)], color)


def _draw_id(picture, pose):
    """The number in a tag on the upper edge of the box, within the picture."""
    size = int(np.clip(0.028 * max(picture.size), 12, 64))
    # The golden section keeps the hues of consecutive ids apart.
    levels = colorsys.hls_to_rgb(0.618034 * pose.id % 1, 0.7, 0.85)
    color = tuple(round(255 * level) for level in levels)
    font, text = ImageFont.load_default(size), str(pose.id)
    half = np.array([font.getlength(text) + 0.8 * size, 1.4 * size]) / 2
    middle = np.array([pose.box[0] + pose.box[2] / 2, pose.box[1]])
    middle = np.clip(middle, half, np.maximum(np.array(picture.size) - 1 - half, half))
    canvas = ImageDraw.Draw(picture)
    corners = [*(middle - half), *(middle + half)]
    canvas.rounded_rectangle(corners, 0.4 * size, color, OUTLINE[:3], max(1, size // 10))
    canvas.text(tuple(middle), text, INK, font, "mm")


def _draw_box(picture, box):
    x, y, w, h = box
    width = max(1, round(0.002 * max(picture.size)))
    canvas = ImageDraw.Draw(picture)
    for grow, color in ((width, OUTLINE[:3]), (0, (255, 255, 255))):
        corners = [x - grow, y - grow, x + w + grow, y + h + grow]
        canvas.rectangle(corners, None, color, width + 2 * grow)
