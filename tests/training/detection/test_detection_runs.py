"""The page of `inspect` for detectors."""

import dataclasses

import pytest

from hrnet_tf import cli
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.recipe import DetectionRecipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "set"
    write_dataset(folder, 6, seed=0, size=(64, 96))
    data = {"annotations": str(folder / "instances.json"), "images": str(folder / "images")}
    values = {f"{use}_{kind}": value for use in ("train", "val") for kind, value in data.items()}
    return DetectionRecipe(
        arch="w18",
        input_size=(64, 96),
        classes=(),
        category_ids=(),
        sides=(96, 64),
        scale_range=(0.8, 1.3),
        color_jitter=0.1,
        fixed_statistics=False,
        milestones=(),
        epochs=2,
        batch_size=4,
        evaluate_every=1,
        **values,
    )


def test_the_page_of_inspect(recipe, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(dataclasses.replace(recipe, head="mask_rcnn").to_json())
    assert cli.main(["inspect", str(path), f"--output={tmp_path}/look", "--count=4"]) == 0
    page = (tmp_path / "look" / "index.html").read_text()
    assert page.count("<img") == 4 and "person" in page and "with a mask" in page
