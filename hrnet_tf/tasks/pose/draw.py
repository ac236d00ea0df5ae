"""Drawings of skeletons on pictures."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.media.images import pixels
from hrnet_tf.tasks.drawing import INK, OUTLINE, disc, line, tint
from hrnet_tf.tasks.pose.predictor import Pose

SMOOTH = 1400  # pixels: smaller persons are drawn larger and scaled down, which smooths the edges


def draw_poses(
    image: np.ndarray,
    poses: Sequence[Pose],
    keypoints: KeypointSet,
    min_score: float = 0.3,
    boxes: bool = False,
) -> np.ndarray:
    """Draws poses on a copy of a picture; small persons lie over large ones.

    A pose with an id has its number above it; an id always has the same colour. Line widths grow
    with the person and the picture, so that small faces are not painted over and poses are still
    visible in a thumbnail of a large photo.

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
    """Draws as `draw_poses` and returns a Pillow image."""
    picture = Image.fromarray(image)
    for pose in sorted(poses, key=lambda pose: -pose.box[2] * pose.box[3]):
        if boxes:
            _draw_box(picture, pose.box)
        _draw_pose(picture, pose, keypoints, pose.scores >= min_score)
    for pose in poses:
        if pose.id is not None and (pose.scores >= min_score).any():
            _draw_id(picture, pose)
    return picture


def _line_width(points, box, picture):
    """Width in pixels: more for a large person, and enough to see in the whole picture."""
    # A box may be the whole picture, and the visible joints only a head, so neither alone is the
    # person's size; their geometric mean is used.
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
    if zoom == 1:  # drawn in place, since a layer as large as the person may not fit into memory
        canvas, points = ImageDraw.Draw(picture, "RGBA"), points + low
        _draw_skeleton(canvas, points, keypoints, visible, width, 0.8)
        return
    layer = Image.new("RGBA", tuple((size * zoom).tolist()))
    _draw_skeleton(ImageDraw.Draw(layer), points, keypoints, visible, width * zoom, 0.8 * zoom)
    layer = layer.reduce(zoom)
    picture.paste(layer, tuple(low.tolist()), layer)


def _draw_skeleton(canvas, points, keypoints, visible, width, least_rim):
    # In sets of many keypoints (hands, faces) larger discs would hide each other.
    radius = width * (1.25 if len(points) <= 30 else 0.7)
    rim = max(0.35 * width, least_rim)
    limbs = [
        (points[a], points[b], (*color, 255))
        for (a, b), color in zip(keypoints.skeleton, keypoints.colors, strict=True)
        if visible[a] and visible[b]
    ]
    for start, end, _ in limbs:
        line(canvas, start, end, width + 2 * rim, OUTLINE)
    for start, end, color in limbs:
        line(canvas, start, end, width, color)
    for point, color, seen in zip(points, keypoints.point_colors, visible, strict=True):
        if seen:
            disc(canvas, point, radius + rim, OUTLINE)
            disc(canvas, point, radius, (*color, 255))


def _draw_id(picture, pose):
    """Draws the id in a tag on the upper edge of the box, shifted to lie within the picture."""
    size = int(np.clip(0.028 * max(picture.size), 12, 64))
    font, text = ImageFont.load_default(size), str(pose.id)
    half = np.array([font.getlength(text) + 0.8 * size, 1.4 * size]) / 2
    middle = np.array([pose.box[0] + pose.box[2] / 2, pose.box[1]])
    middle = np.clip(middle, half, np.maximum(np.array(picture.size) - 1 - half, half))
    canvas = ImageDraw.Draw(picture)
    corners = [*(middle - half), *(middle + half)]
    canvas.rounded_rectangle(corners, 0.4 * size, tint(pose.id), OUTLINE[:3], max(1, size // 10))
    canvas.text(tuple(middle), text, INK, font, "mm")


def _draw_box(picture, box):
    x, y, w, h = box
    width = max(1, round(0.002 * max(picture.size)))
    canvas = ImageDraw.Draw(picture)
    for grow, color in ((width, OUTLINE[:3]), (0, (255, 255, 255))):
        corners = [x - grow, y - grow, x + w + grow, y + h + grow]
        canvas.rectangle(corners, None, color, width + 2 * grow)
