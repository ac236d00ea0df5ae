"""Runs of detectors: from drawings to a model that opens, and the page of `inspect`."""

import dataclasses

import numpy as np
import pytest

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training import train
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


@pytest.mark.slow
@pytest.mark.parametrize("head", ["mask_rcnn", "cascade_rcnn"])
def test_detectors_with_regions_are_trained(recipe, head, tmp_path):
    spec = HRNetSpec(width=8, stage1_blocks=1, stage1_planes=8, modules=(1, 1, 1), blocks=1)
    recipe = dataclasses.replace(recipe, arch=spec, head=head, epochs=1, clip_norm=35.0)
    path = train.train(recipe, tmp_path / "run", distribute="none")
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    values = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert 0 < float(values["loss"]) < 100 and 0 < float(values["val_loss"]) < 100
    hrnet_tf.predictor(path)(np.zeros((50, 70, 3), np.uint8))
