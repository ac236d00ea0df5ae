"""Regions of COCO files: one reader for all tasks, for whatever has one meaning."""

import numpy as np
import pytest
from pycocotools import mask as coco

from hrnet_tf.training.data.coco_masks import area_inside, encoded, region

SIZE = (9, 12)
TRIANGLE = [1, 1, 6, 1, 6, 6]
POINTS = [[1, 1], [6, 1], [6, 6]]
WHOLE = {"size": [*SIZE], "counts": [20, 50, 38]}


@pytest.mark.parametrize(
    "form",
    [
        [TRIANGLE],
        TRIANGLE,
        POINTS,
        [POINTS],
        [TRIANGLE, []],
        [list(map(str, TRIANGLE))],
        [[*TRIANGLE, 1, 1]],
    ],
    ids=["polygons", "one", "points", "lists of points", "an empty one", "text", "closed"],
)
def test_polygons_of_one_meaning(form):
    wanted = coco.decode(coco.merge(coco.frPyObjects([TRIANGLE], *SIZE)))
    np.testing.assert_array_equal(region(form, SIZE), wanted)
    assert area_inside(form) == 12.5


@pytest.mark.parametrize("nothing", [None, [], [[]], {}, [[], []]])
def test_no_region(nothing):
    assert encoded(nothing, SIZE) is None and area_inside(nothing) is None
    with pytest.raises(ValueError, match="`segmentation` is empty"):
        region(nothing, SIZE)


def test_run_lengths_of_any_form_are_pycocotools():
    rng = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        height, width = rng.integers(1, 90, 2).tolist()
        pixels = np.asfortranarray(rng.random((height, width)) < share, np.uint8)
        packed = coco.encode(pixels)
        text = {"size": [height, width], "counts": packed["counts"].decode()}
        changes = np.flatnonzero(np.diff(pixels.ravel(order="F"), prepend=0, append=2))
        listed = text | {"counts": np.diff(changes, prepend=0).tolist()}
        for form in (text, listed, packed):
            assert encoded(form, (height, width)) == text
            np.testing.assert_array_equal(region(form, (height, width)), pixels)
            assert area_inside(form) == pixels.sum()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("x", "is 'x', not polygons or run lengths"),
        (5, "is 5, not polygons"),
        ([[1, 2, 3, 4]], "polygons of three points or more"),
        ([[1, 2, 3, 4, 5]], "polygons of three points or more"),
        ([[1, 2, 3, 4, None, 6]], "polygons of three points or more"),
        ([TRIANGLE, 3], "polygons of three points or more"),
        ([[True] * 6], r"`segmentation\[0\]` has True"),
        ([TRIANGLE, [{}]], r"`segmentation\[1\]` has {}"),
        ([[1, 2, 3, 4, 5, 1e200]], "far outside its image"),
        ({"size": [9, 12]}, "no `counts` or no `size`"),
        ({"size": [12, 9], "counts": [108]}, r"is of \[12, 9\], its image of \[9, 12\]"),
        ({"size": [9, 12], "counts": [107]}, "do not add up"),
        ({"size": [9, 12], "counts": [-1, 109]}, "do not add up"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "no `counts` or no `size`"),
        # pycocotools would fill the rest of the mask with whatever is in memory.
        ({"size": [9, 12], "counts": "0000"}, "do not add up"),
        ({"size": [9, 12], "counts": ""}, "do not add up"),
        ({"size": [9, 12], "counts": "\N{GREEK SMALL LETTER ALPHA}"}, "do not add up"),
        ({"size": [9, 12], "counts": "PPPPPPPPPPPPPPP0"}, "do not add up"),
    ],
)
def test_damaged_regions_raise_one_sentence(form, said):
    with pytest.raises(ValueError, match=said):
        encoded(form, SIZE)


def test_polygons_need_a_size():
    assert encoded(WHOLE, None)["size"] == [9, 12]
    with pytest.raises(ValueError, match="needs `height` and `width`"):
        encoded([TRIANGLE], None)
