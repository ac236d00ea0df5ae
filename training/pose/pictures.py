"""Draws crops and heat maps, for HTML pages and TensorBoard."""

import dataclasses

import numpy as np
from PIL import Image

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoints import CENTER, LEFT, RIGHT, KeypointSet
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.heat import overlay
from hrnet_tf.tasks.pose.predictor import Pose


def enlarge(picture: np.ndarray, factor: int = 2) -> np.ndarray:
    """Enlarges a picture (H, W, 3) uint8 by an integer factor."""
    size = (factor * picture.shape[1], factor * picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def draw_points(
    crop: np.ndarray, points: np.ndarray, shown: np.ndarray, keypoints: KeypointSet, factor: int = 2
) -> np.ndarray:
    """Enlarges a crop (H, W, 3) uint8 and draws the skeleton of `points` (K, 2) in crop pixels.

    `shown` (K,) says which keypoints are drawn.
    """
    height, width = crop.shape[:2]
    centers = factor * (points + 0.5) - 0.5  # pixel centres are at integers in both pictures
    pose = Pose(centers, shown.astype(float), np.array((0, 0, factor * width, factor * height)), 1)
    return draw_poses(enlarge(crop, factor), [pose], keypoints)


def by_side(keypoints: KeypointSet) -> KeypointSet:
    """The keypoint set with one colour for all left keypoints and one for all right ones.

    Names tell the sides of a flip pair; without them, the first of the pair counts as left.
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
    """For each crop a picture of three panels: the crop, its target and the prediction over it.

    Args:
        card: the network's card.
        crops: (B, H, W, 3), normalised.
        targets: (B, H / 4, W / 4, channels) heat maps.
        maps: predicted heat maps of the same shape.

    Returns:
        B pictures (H, 3 W, 3) uint8.
    """
    heats = [joint_heat(each, card) for each in (targets, maps)]
    return [
        np.concatenate([crop, *(overlay(crop, heat, card.codec.aligned) for heat in pair)], axis=1)
        for crop, *pair in zip(card.denormalize(crops), *heats, strict=True)
    ]


def joint_heat(heatmaps: np.ndarray, card: PoseCard) -> np.ndarray:
    """Joins heat maps (..., h, w, channels) to one of all joints (..., h, w)."""
    return card.codec.joint_maps(np.asarray(heatmaps, np.float32)).max(axis=-1)
