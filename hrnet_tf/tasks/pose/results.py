"""Poses as records: COCO's results format."""

import numpy as np

from hrnet_tf.tasks.pose.predictor import Pose


def coco_result(image_id: int, pose: Pose) -> dict:
    """A pose as an entry of COCO's results format."""
    keypoints = np.column_stack([pose.keypoints, pose.scores])
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [round(float(v), 4) for v in keypoints.ravel()],
        "score": float(pose.score),
        "bbox": [round(float(v), 2) for v in pose.box],
    }
