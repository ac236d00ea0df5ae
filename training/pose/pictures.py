"""Pictures of crops and heat maps, for pages and logs."""

import dataclasses

import numpy as np
from PIL import Image

from hrnet_tf.labels.keypoints import CENTER, LEFT, RIGHT, KeypointSet
from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.predictor import Pose

HEAT = np.array((255, 64, 32), np.float32)


def crop_pixels(crops: np.ndarray, card: PoseCard) -> np.ndarray:
    """Grey levels (..., H, W, 3) uint8 of normalised crops: the inverse of `card.normalize`."""
    levels = (np.asarray(crops, np.float32) * card.std + card.mean) * 255
    return np.rint(levels).clip(0, 255).astype(np.uint8)


def joint_maps(heatmaps: np.ndarray, card: PoseCard) -> np.ndarray:
    """Of heat maps (..., h, w, C), the one per keypoint that says where it is: (..., h, w, K)."""
    return np.asarray(heatmaps, np.float32)[..., :: len(card.codec.mirror_signs)]


def enlarge(picture: np.ndarray, factor: int = 2) -> np.ndarray:
    """A picture (H, W, 3) uint8 `factor` times as large."""
    size = (factor * picture.shape[1], factor * picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def overlay(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A darkened picture (H, W, 3) uint8 under a heat map (h, w) of 0 to 1, of any size."""
    heat = Image.fromarray(np.asarray(heat, np.float32))
    heat = np.asarray(heat.resize(picture.shape[1::-1], Image.Resampling.BILINEAR))
    share = np.sqrt(np.clip(heat, 0, 1))[..., None]
    return (0.45 * picture * (1 - share) + HEAT * share).astype(np.uint8)


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
