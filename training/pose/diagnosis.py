"""A table of the kinds of errors of each keypoint, to debug a pose network."""

from collections.abc import Mapping, Sequence

import numpy as np

from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.tasks.pose.oks import similarity


def diagnosis(
    annotations: Sequence[Mapping], results: Sequence[Mapping], keypoints: KeypointSet
) -> dict[str, dict[str, float]]:
    """Per keypoint, the kinds of errors of Ronchi and Perona (ICCV 2017) within one person.

    Each labelled person is compared with the pose of its image that is most similar by OKS. A
    keypoint's similarity is its own term of that mean. From 0.85 on it is `good`, from 0.5 on
    `jitter`; below, it is `inverted` if it is at least 0.5 similar to its mirror partner (a left
    wrist on the right one), else `missed`.

    Args:
        annotations: COCO's annotations with `area`; crowds and people without labelled keypoints
            are ignored.
        results: entries of COCO's results format.
        keypoints: the keypoints of both, with sigmas.

    Returns:
        Keypoint -> the number of `labelled` ones and, if there are any, their mean similarity
        `OKS` and the four shares, which add up to 1.
    """
    count = len(keypoints.names)
    poses = {}
    for result in results:
        points = np.reshape(result["keypoints"], (-1, 3))[:, :2]
        poses.setdefault(result["image_id"], []).append(points)
    nobody = [np.full((count, 2), np.inf)]
    people = [
        _similarities(person, poses.get(person["image_id"], nobody), keypoints)
        for person in annotations
        if not person.get("iscrowd") and any(person["keypoints"][2::3])
    ]
    own, crossed = np.reshape(people, (-1, 2, count)).swapaxes(0, 1)
    table = {}
    for name, near, mirrored in zip(keypoints.names, own.T, crossed.T, strict=True):
        labelled = ~np.isnan(near)
        near, mirrored = near[labelled], mirrored[labelled]
        table[name] = {"labelled": len(near)}
        if len(near):
            table[name] |= {
                "OKS": float(np.mean(near)),
                "good": float(np.mean(near >= 0.85)),
                "jitter": float(np.mean((near >= 0.5) & (near < 0.85))),
                "inverted": float(np.mean((near < 0.5) & (mirrored >= 0.5))),
                "missed": float(np.mean((near < 0.5) & (mirrored < 0.5))),
            }
    return table


def _similarities(person, poses, keypoints):
    """Similarity (2, K) of the best pose to a person: to each joint, and to its mirror partner.

    The first is NaN where the joint is not labelled, the second 0 where the partner is not.
    """
    points = np.reshape(person["keypoints"], (-1, 3)).astype("float64")
    points, seen = points[:, :2], points[:, 2] > 0
    partner = np.arange(len(points))
    for left, right in keypoints.flip_pairs:
        partner[[left, right]] = right, left
    area, sigmas = person["area"], np.array(keypoints.sigmas)
    near = similarity(np.array(poses), points, area, sigmas)
    best = near[:, seen].mean(-1).argmax()
    mirrored = similarity(poses[best], points[partner], area, sigmas[partner])
    paired = seen[partner] & (partner != np.arange(len(points)))
    return np.where(seen, near[best], np.nan), np.where(paired, mirrored, 0.0)
