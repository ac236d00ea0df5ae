"""Pictures of crops and heat maps, for pages and logs."""

import dataclasses

import numpy as np
from PIL import Image

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoints import CENTER, LEFT, RIGHT, KeypointSet
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.heat import overlay
from hrnet_tf.tasks.pose.predictor import Pose


def enlarge(picture: np.ndarray, factor: int = 2) -> np.ndarray:
    """A picture (H, W, 3) uint8 `factor` times as large."""
    size = (factor * picture.shape[1], factor * picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def draw_points(
    crop: np.ndarray, points: np.ndarray, shown: np.ndarray, keypoints: KeypointSet, factor: int = 2
) -> np.ndarray:
    """A crop (H, W, 3) uint8, enlarged, with the skeleton of `points` (K, 2) in crop pixels.

    `shown` (K,) says which keypoints are drawn.
    """
    height, width = crop.shape[:2]
    centers = factor * (points + 0.5) - 0.5  # of pixels, before and after
    pose = Pose(centers, shown.astype(float), np.array((0, 0, factor * width, factor * height)), 1)
    return draw_poses(enlarge(crop, factor), [pose], keypoints)


def by_side(keypoints: KeypointSet) -> KeypointSet:
    """The set in the colours of its flip pairs: one half of each left, the other right.

    Names decide which is which, or else the order in the pair.
    """
    sides = dict.fromkeys(range(len(keypoints.names)), CENTER)
    for pair in keypoints.flip_pairs:
        first, second = sorted(pair, key=lambda i: "right" in keypoints.names[i].lower())
        sides[first], sides[second] = LEFT, RIGHT
    lines = (sides[a] if sides[a] == sides[b] else CENTER for a, b in keypoints.skeleton)
    return dataclasses.replace(keypoints, colors=tuple(lines), point_colors=tuple(sides.values()))


def panels(
    card: PoseCard, crops: np.ndarray, targets: np.ndarray, maps: np.ndarray
) -> list[np.ndarray]:
    """Each crop beside itself under its target and under the prediction.

    Args:
        card: how the crops were normalised and what the channels are.
        crops: (B, H, W, 3), normalised.
        targets: (B, H / 4, W / 4, channels).
        maps: likewise, predicted.

    Returns:
        B pictures (H, 3 W, 3) uint8.
    """
    heats = [joint_heat(each, card) for each in (targets, maps)]
    return [
        np.concatenate([crop, *(overlay(crop, heat, card.codec.aligned) for heat in pair)], axis=1)
        for crop, *pair in zip(card.denormalize(crops), *heats, strict=True)
    ]


def joint_heat(heatmaps: np.ndarray, card: PoseCard) -> np.ndarray:
    """Of heat maps (..., h, w, channels) one with all joints: (..., h, w)."""
    return card.codec.joint_maps(np.asarray(heatmaps, np.float32)).max(axis=-1)
