"""Confusion matrix and intersection over union equal the original repository's."""

import numpy as np
import pytest

from hrnet_tf.training.segmentation.metrics import confusion_matrix, segmentation_scores

from places import FIXTURES

FIXTURE = FIXTURES / "seg_confusion" / "data.npz"


def test_equal_to_the_original_with_its_ignored_pixels():
    """Also when the images come one by one, as in an evaluation."""
    golden = np.load(FIXTURE)
    predictions = golden["logits"].argmax(axis=1)
    whole = confusion_matrix(golden["label"], predictions, 19)
    parts = [confusion_matrix(*pair, 19) for pair in zip(golden["label"], predictions, strict=True)]
    for confusion in (whole, sum(parts)):
        np.testing.assert_array_equal(confusion, golden["confusion"])
        scores = segmentation_scores(confusion)
        np.testing.assert_array_equal(scores.iou, golden["iou"])
        assert scores.mean_iou == golden["mean_iou"]


def test_scores_of_a_matrix_worked_by_hand():
    """Class 0: 3 of 4 right; class 1: its only pixel taken for 0; class 2 is never seen."""
    scores = segmentation_scores([[3, 0, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(scores.iou, [3 / 5, 0, 0])
    assert scores.mean_iou == pytest.approx(0.2)
    assert scores.pixel_accuracy == pytest.approx(3 / 5)
    assert scores.mean_accuracy == pytest.approx(0.25)
    assert np.isnan(segmentation_scores(np.zeros((2, 2))).pixel_accuracy)


@pytest.mark.parametrize(
    ("labels", "predictions", "said"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), r"one shape.*\(2, 4\)"),
        (np.array([33, 0]), np.zeros(2), "`labels` must be classes from 0 to 18.*0 to 33"),
        (np.array([-1, 0]), np.zeros(2), "`labels` .*-1 to 0.*ignore_label"),
        (np.zeros(2), np.array([0, 19]), "`predictions` must be classes from 0 to 18"),
    ],
)
def test_ids_of_another_numbering_are_refused(labels, predictions, said):
    """The raw ids of Cityscapes (33 is a bicycle) would silently land in other rows."""
    with pytest.raises(ValueError, match=said):
        confusion_matrix(labels, predictions, 19)


def test_ignored_pixels_may_carry_any_prediction():
    confusion = confusion_matrix(np.array([255, 1]), np.array([200, 1]), 2)
    np.testing.assert_array_equal(confusion, [[0, 0], [0, 1]])
