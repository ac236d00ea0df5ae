"""Evaluations: numbers of the original and of OpenMMLab, masks that do not fit, flat memory."""

import tracemalloc

import numpy as np
import own_masks
import pytest
from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.training.evaluate import evaluate, judge
from hrnet_tf.training.segmentation.evaluator import evaluator
from hrnet_tf.training.segmentation.metrics import confusion_matrix, segmentation_scores

from places import FIXTURES


@pytest.fixture(scope="module")
def golden():
    return np.load(FIXTURES / "seg_metrics" / "data.npz")


def test_absent_classes_count_as_in_the_original_and_by_openmmlab(golden):
    """Class 3 is predicted but not labelled, class 6 neither."""
    confusion = confusion_matrix(golden["label"], golden["pred"], 7)
    np.testing.assert_array_equal(confusion, golden["confusion"])
    scores = segmentation_scores(confusion)
    np.testing.assert_allclose(scores.iou, golden["iou"], rtol=1e-12)
    found = (scores.mean_iou, scores.pixel_accuracy, scores.mean_accuracy)
    wanted = [float(golden[name]) for name in ("mean_iou", "pixel_acc", "mean_acc")]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    scores = segmentation_scores(confusion, "left_out")
    np.testing.assert_allclose(scores.iou, golden["mmseg_iou"], rtol=1e-6)
    np.testing.assert_allclose(scores.accuracy, golden["mmseg_acc"], rtol=1e-6)
    np.testing.assert_allclose(
        [round(100 * scores.mean_iou, 2), round(100 * scores.mean_accuracy, 2)], [51.97, 77.97]
    )


class Colors:
    """A predictor that reads the classes from the colours of `own_masks`, but for one class."""

    card, scales, flip = own_masks.CARD, (1.0,), False

    def __init__(self, blind_to=9):
        self.colors = np.array(own_masks.COLORS) * 0.7 + 20
        self.blind_to = blind_to

    def stream(self, items):
        for key, image, *_ in items:
            near = np.linalg.norm(image[..., None, :] - self.colors, axis=-1).argmin(axis=-1)
            yield key, image, np.where(near == self.blind_to, 0, near)


def test_numbers_tables_and_problems(tmp_path):
    data = own_masks.write(tmp_path, 5)
    Image.fromarray(np.full((40, 56), 9, np.uint8)).save(tmp_path / "masks" / "3.png")
    made = evaluator(own_masks.CARD, data)
    found = judge(Colors(), made)
    assert found.numbers == {"mIoU": 1, "pixel accuracy": 1, "mean accuracy": 1}
    assert found.main == ("mIoU", True) and found.counted == {"pixels": 4 * 40 * 56}
    (problem,) = found.problems
    assert "3.png is left out: it has the number 9" in problem
    found = judge(Colors(blind_to=2), made)  # on the same annotations
    assert found.tables["per_class"]["stem"]["IoU"] == 0
    assert found.tables["confusion"]["stem"] == {"background": 1.0}
    assert found.numbers["mean accuracy"] == pytest.approx(2 / 3)


def test_a_network_is_evaluated_by_its_card(tmp_path):
    """Through `evaluate`, with a predictor of the task."""
    data = own_masks.write(tmp_path, 2)
    colors = (np.array(own_masks.COLORS, np.float32) * 0.7 + 20) / 255

    def network(images):
        levels = np.array(images) * np.array(own_masks.CARD.std) + np.array(own_masks.CARD.mean)
        return -10 * ((levels[:, :, :, None] - colors) ** 2).sum(axis=-1)

    predictor = SegmentationPredictor(network, own_masks.CARD, flip=True)
    found = evaluate(predictor, data.annotations, data.images)
    assert found.numbers["mIoU"] > 0.99 and found.conditions["flip"]
    others = SegmentationCard(("a", "b"), ((0, 0, 0), (1, 1, 1)))
    found = judge(Colors(), evaluator(others, data))
    assert len(found.problems) == 2 and "the number 2, which no class has" in found.problems[0]


def test_memory_does_not_grow_with_the_pictures(tmp_path):
    made = evaluator(own_masks.CARD, own_masks.write(tmp_path, 1))
    made.reset(Colors())
    classes = own_masks.class_map(0)
    made.add(0, classes)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        made.add(0, classes)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 10 * classes.size and made.finish().counted == {"pixels": 201 * classes.size}
