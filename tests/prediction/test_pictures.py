"""What `hrnet-tf predict` writes is what `hrnet-tf evaluate` measures."""

import json

import numpy as np
import pytest

from hrnet_tf import cli
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate
from hrnet_tf.training.pose.oks_metrics import coco_ap, oks_nms

THRESHOLD = 0.3  # leaves 274 of 19,002 boxes


@pytest.mark.data
def test_predicted_results_have_the_ap_of_evaluate(data_dir, tmp_path):
    """People of a detector in real photos: results.json, after the protocol's OKS-NMS."""
    weights = data_dir / "tinypose" / "derived_tinypose_128x96.npz"
    folder = data_dir / "coco_kp_subset"
    boxes = folder / "detections_320_coco_kp_subset_val2017.json"
    annotations = folder / "annotations" / "person_keypoints_val2017.json"
    words = ["predict", str(folder / "val2017" / "*.jpg"), "--model=tinypose_128x96", "--flip"]
    words += [f"--weights={weights}", f"--boxes={boxes}", f"--score_threshold={THRESHOLD}"]
    assert cli.main([*words, f"--output={tmp_path}"]) == 0

    predictor = PosePredictor("tinypose_128x96", flip=True, weights=weights)
    files = annotations, folder / "val2017"
    wanted = evaluate(predictor, *files, detections=boxes, score_threshold=THRESHOLD)
    written = _suppressed(json.loads((tmp_path / "results.json").read_text()), predictor)
    assert len(written) == len(wanted.results)
    found = coco_ap(annotations, written, COCO.sigmas)
    for name, number in wanted.numbers.items():
        assert found[name] == pytest.approx(number, abs=1e-9), name


def _suppressed(results, predictor):
    """What the original protocol does with the poses of each image."""
    height, width = predictor.input_size
    kept = []
    for image_id in {result["image_id"] for result in results}:
        group = [result for result in results if result["image_id"] == image_id]
        boxes = np.array([result["bbox"] for result in group])
        _, scales = geometry.center_scale(boxes, width / height, predictor.card.padding)
        keypoints = np.reshape([result["keypoints"] for result in group], (len(group), -1, 3))
        scores = np.array([result["score"] for result in group])
        areas = np.asarray(scales).prod(axis=1)
        kept += [group[i] for i in oks_nms(keypoints, areas, scores, 0.9, COCO.sigmas)]
    return kept
