"""Recipes: their pages, values from text, and the JSON beside a model."""

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
from fractions import Fraction

import pytest

from hrnet_tf.cards.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.cards.pose import CODECS
from hrnet_tf.fields import field_help
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.presets import PRESETS
from hrnet_tf.training.overrides import all_fields, override
from hrnet_tf.training.pose.published import tables
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.recipe import Recipe, completed, load_recipe, values_of
from hrnet_tf.training.recipes import pose as recipes
from hrnet_tf.weights.download import is_url

from places import ROOT

PLAIN = PoseRecipe(
    arch="w18",
    input_size=(64, 64),
    train_annotations="people.json",
    train_images="photos",
    codec=DARK(1.0, 3),
    batch_size=4,
)


# Text


def test_overrides_are_read_by_the_type_of_their_field():
    changes = {
        "epochs": "3", "learning_rate": "2e-4", "input_size": "128,96", "milestones": "(5,)",
        "codec": "udp", "flip_test": "false", "arch": "w32", "keypoints": "mpii", "clip_norm": "5",
    }  # fmt: skip
    changed = override(PLAIN, changes)
    assert (changed.epochs, changed.learning_rate, changed.clip_norm) == (3, 2e-4, 5.0)
    assert (changed.input_size, changed.milestones) == ((128, 96), (5,))
    assert (changed.flip_test, changed.arch, changed.keypoints.name) == (False, "w32", "mpii")
    assert changed.seed == PLAIN.seed
    assert override(PLAIN, {"milestones": ""}).milestones == ()


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("udp", UDP(1.0, 3)),
        ("msra", MSRA(1.0)),
        ("dark,sigma=3,blur_kernel=17", DARK(3.0, 17)),
        ("udp_combined,radius_factor=0.1", UDPCombined(0.1, 3)),
    ],
)
def test_a_codec_keeps_what_is_not_named(text, codec):
    """A new decoder must not change how wide the targets of a recipe are."""
    assert override(PLAIN, {"codec": text}).codec == codec


def test_keypoints_of_ones_own_come_from_their_file_and_stay_in_the_recipe(tmp_path):
    file = tmp_path / "dog.json"
    file.write_text('{"names": ["nose", "left_ear", "right_ear"]}')
    changed = override(PLAIN, {"keypoints": str(file)})
    file.unlink()
    again = Recipe.from_json(changed.to_json())
    assert again == changed and again.keypoints.names == ("nose", "left_ear", "right_ear")
    assert again.card.flip_index == (0, 2, 1)
    assert again.card.outputs() == {"heatmaps": (None, None, 3)}
    with pytest.raises(FileNotFoundError, match=r"dog\.json"):
        override(PLAIN, {"keypoints": str(file)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epocs": "3"}, "no field 'epocs'. Did you mean epochs"),
        ({"epochs": "many"}, "`epochs` must be a whole number. Received: epochs='many'"),
        ({"epochs": "0"}, "`epochs` must be positive. Received: epochs=0"),
        ({"learning_rate": "nan"}, "`learning_rate` must be a finite number"),
        ({"learning_rate": "inf"}, "`learning_rate` must be a finite number"),
        ({"arch": "w33"}, "Did you mean w32"),
        ({"codec": "simcc"}, "must be one of msra, dark"),
        ({"codec": "dark,blur=3"}, "`codec` dark must be set as dark,sigma=…,blur_kernel=…"),
        ({"codec": "dark,sigma"}, "`codec` dark must be set as"),
        ({"codec": "dark,blur_kernel=4"}, "`blur_kernel` must be an odd"),
        ({"input_size": "128"}, "a height and a width"),
        ({"input_size": "a,b"}, "whole numbers with commas"),
        ({"input_size": "130,96"}, "multiples of 32. Received: input_size=\\(130, 96"),
        ({"input_size": "0,64"}, "multiples of 32"),
        ({"flip_probability": "2"}, "lie between 0 and 1"),
        ({"ema": "1"}, "at least 0 and below 1"),
        ({"flip_test": "maybe"}, "one of true, false"),
        ({"protocol": "mine"}, "must be one of"),
        ({"keypoints": "dogs"}, "must be one of coco"),
        ({"milestones": "5,3"}, "rising order"),
        ({"milestones": "-5"}, "rising order"),
    ],
)
def test_a_wrong_override_says_what_would_be_right(changes, message):
    with pytest.raises(ValueError, match=message):
        override(PLAIN, changes)


def test_a_recipe_is_checked_however_it_is_made():
    for field, value in (("epochs", 3.0), ("flip_test", 1), ("ema", "0.9"), ("codec", "dark")):
        with pytest.raises(ValueError, match=f"`{field}` must be .*{field}="):
            dataclasses.replace(PLAIN, **{field: value})


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"batch_size": "1"}, 2.5e-4),
        ({"batch_size": "16"}, 4e-3),
        ({"accumulation": "2"}, 2e-3),
        ({"batch_size": "2", "accumulation": "2"}, 1e-3),
        ({"batch_size": "16", "learning_rate": "3e-3"}, 3e-3),
        ({"epochs": "1"}, 1e-3),
    ],
)
def test_the_learning_rate_follows_the_batch_and_says_so(changes, rate):
    lines = []
    assert override(PLAIN, changes, lines.append).learning_rate == pytest.approx(rate)
    scaled = rate != 1e-3 and "learning_rate" not in changes
    assert len(lines) == scaled and all(f"becomes {rate:g}" in line for line in lines)


def test_the_flags_explain_every_field():
    meanings = field_help(PoseRecipe)
    assert set(meanings) == {field.name for field in values_of(PoseRecipe)}
    flags = all_fields()
    assert all(text in flags[name] for name, text in meanings.items())
    assert meanings["spread"].endswith("up to them is as likely")  # of two lines


# JSON


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"arch": HRNetSpec(width=8, modules=(1, 1, 1)), "milestones": (3,)},
        {"arch": LiteHRNetSpec(16, weighting=False), "codec": UDPCombined()},
        {"keypoints": dataclasses.replace(PLAIN.keypoints, name="mine", sigmas=None)},
    ],
)
def test_a_saved_recipe_is_the_same_recipe(tmp_path, changes):
    """Resuming compares it, and `train runs/a/recipe.json` repeats a run."""
    recipe = dataclasses.replace(PLAIN, **changes)
    file = tmp_path / "recipe.json"
    file.write_text(recipe.to_json(), encoding="utf-8")
    assert load_recipe(str(file)) == recipe
    names = {field.name for field in values_of(PoseRecipe)}
    assert set(json.loads(recipe.to_json())) == {"task"} | names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "complete JSON"),
        ("[]", "must be a JSON object"),
        ('{"arch": "w18"}', "missing 3 required"),
        (PLAIN.to_json().replace('"seed"', '"seedd"'), "no field 'seedd'. Did you mean seed"),
        (PLAIN.to_json().replace('"dark"', '"simcc"'), "'simcc'"),
        (PLAIN.to_json().replace('"keypoints": "coco"', '"keypoints": "dogs"'), "'dogs'"),
        (PLAIN.to_json().replace('"pose"', '"depth"'), "one of pose, .*Received: task='depth'"),
        (PLAIN.to_json().replace('"seed": 0', '"seed": "0"'), "`seed` must be a whole number"),
        (PLAIN.to_json().replace('"arch": "w18"', '"arch": {"spec": "Big"}'), "'Big'"),
    ],
)
def test_a_damaged_recipe_file_is_named(tmp_path, text, message):
    file = tmp_path / "recipe.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        load_recipe(str(file))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


# Pages

# Page, architecture, input, batch and rate of the original, codec, published number.
PAPERS = """
coco_w32_256x192               w32 256x192 128 1e-3 msra,2 .744
coco_w32_384x288               w32 384x288 128 1e-3 msra,3 .758
coco_w48_256x192               w48 256x192 128 1e-3 msra,2 .751
coco_w48_384x288               w48 384x288  96 1e-3 msra,3 .763
coco_w32_128x96_dark           w32 128x96  128 1e-3 dark,1,3 .707
coco_w48_128x96_dark           w48 128x96  128 1e-3 dark,1,11 .719
coco_w32_256x192_dark          w32 256x192 128 1e-3 dark,2,11 .756
coco_w32_384x288_dark          w32 384x288 112 1e-3 dark,3,11 .766
coco_w48_384x288_dark          w48 384x288  72 1e-3 dark,3,11 .768
coco_w32_256x192_udp           w32 256x192 128 1e-3 udp_combined,4/64,7 .768
coco_w32_384x288_udp           w32 384x288 128 1e-3 udp_combined,4/96,7 .778
coco_w48_256x192_udp           w48 256x192 128 1e-3 udp_combined,4/64,7 .772
coco_w48_384x288_udp           w48 384x288  96 1e-3 udp_combined,4/96,7 .778
coco_lite18_256x192            lite18 256x192 512 2e-3 msra,2 .648
coco_lite18_384x288            lite18 384x288 256 2e-3 msra,3 .676
coco_lite30_256x192            lite30 256x192 512 2e-3 msra,2 .672
coco_lite30_384x288            lite30 384x288 256 2e-3 msra,3 .704
coco_naive_lite18_256x192      naive_lite18 256x192 512 2e-3 msra,2 .628
coco_wider_naive_lite18_256x192 wider_naive_lite18 256x192 512 2e-3 msra,2 .660
mpii_w32                       w32 256x256 128 1e-3 msra,2 90.3
mpii_w48                       w48 256x256 128 1e-3 msra,2 -
mpii_w32_dark                  w32 256x256 128 1e-3 dark,2,11 90.6
mpii_lite18                    lite18 256x256 256 2e-3 msra,2 85.4
mpii_lite30                    lite30 256x256 256 2e-3 msra,2 87.0
mpii_naive_lite18              naive_lite18 256x256 256 2e-3 msra,2 85.3
mpii_wider_naive_lite18        wider_naive_lite18 256x256 256 2e-3 msra,2 86.8
wflw_w18                       w18 256x256 16 1e-4 face,1.5 4.60
face_300w_w18                  w18 256x256 16 1e-4 face,1 3.34
aflw_w18                       w18 256x256 16 2e-4 face,1.5 1.57
"""
ROWS = {row.split()[0]: row.split()[1:] for row in PAPERS.strip().splitlines()}
OURS = {"own_keypoints", "synthetic_pose"}

# Half body, scale, rotation, its probability, spread; epochs and milestones; warm-up; flip test.
BODIES = (0.3, 0.35, 45, 0.6, "normal"), (210, (170, 200)), 0, True
LITE = (0.3, 0.25, 30, 0.6, "normal"), (210, (170, 200)), 500, True
MPII = (0, 0.25, 30, 0.6, "normal"), (210, (170, 200)), 0, True
LITE_MPII = (0, 0.25, 30, 0.6, "normal"), (210, (170, 200)), 500, True
FACES = (0, 0.25, 30, 0.6, "uniform"), (60, (30, 50)), 0, False


@pytest.mark.parametrize("name", ROWS)
def test_a_page_has_the_values_of_its_paper(name):
    arch, size, batch, rate, codec, number = ROWS[name]
    recipe = load_recipe(name)
    assert (recipe.arch, "x".join(map(str, recipe.input_size))) == (arch, size)
    assert (recipe.batch_size, recipe.learning_rate) == (int(batch), float(rate))
    kind, *settings = codec.split(",")
    assert recipe.codec == CODECS[kind](*(float(Fraction(each)) for each in settings))
    crops = (recipe.half_body_probability, recipe.scale_factor, recipe.rotation_factor)
    crops = (*crops, recipe.rotation_probability, recipe.spread)
    schedule = (recipe.epochs, recipe.milestones)
    family = {
        "coco": LITE if "lite" in arch else BODIES,
        "mpii": LITE_MPII if "lite" in arch else MPII,
    }
    expected = family.get(recipe.data_format, FACES)
    assert (crops, schedule, recipe.warmup_steps, recipe.flip_test) == expected
    assert bool(recipe.weights) == ("lite" not in arch) and (
        arch in recipe.weights or not recipe.weights
    )
    assert _main_number(recipe) == number


def _main_number(recipe):
    """As the papers print it."""
    numbers = recipe.expected.numbers if recipe.expected else {}
    match numbers:
        case {"AP": number}:
            return f"{number:.3f}"[1:]
        case {"Mean": number}:
            return f"{100 * number:.1f}"
        case {"NME": number}:
            return f"{100 * number:.2f}"
    return "-"


@pytest.mark.parametrize("name", sorted(set(ROWS) | OURS))
def test_a_page_is_complete(name):
    """It says how to run it, can be saved, and names nothing that is not there."""
    recipe = load_recipe(name)
    page = inspect.getdoc(importlib.import_module(f"{recipes.__name__}.{name}"))
    assert f"    hrnet-tf train {name} --workdir=runs/" in page and "Expected: " in page
    assert Recipe.from_json(recipe.to_json()) == recipe
    channels = recipe.codec.channels(len(recipe.keypoints.names))
    assert recipe.card.outputs() == {"heatmaps": (None, None, channels)}
    assert recipe.data_format in FORMATS
    named = set(re.findall(r"`((?:lite_)?hrnet_w?\d\w+)`", page))
    named |= {recipe.weights} - {""} if not is_url(recipe.weights) else set()
    assert named <= set(PRESETS)
    flags = re.findall(r"--(\w+)", page)
    others = {"workdir", "model", "annotations", "images", "detections", "output", "num_images"}
    assert set(flags) <= set(all_fields()) | others
    for other in re.findall(r"`(\w+_w\d\d\w*|\w+_lite\d\d\w*)`", page):
        assert other in PRESETS or other in ROWS


def test_no_page_is_forgotten():
    pages = {module.name for module in pkgutil.iter_modules(recipes.__path__)}
    assert pages == set(ROWS) | OURS


def test_a_typo_finds_the_page():
    with pytest.raises(ValueError, match="Did you mean synthetic_pose"):
        load_recipe("synthetic_poes")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_recipe("nowhere/recipe.json")


def test_the_docs_have_the_pages_numbers():
    """Its two tables are those that the pages make; every published number stands in one."""
    text = ROOT.joinpath("docs", "train.md").read_text(encoding="utf-8")
    text = text.partition("\n## Recipes\n")[2].partition("\n## ")[0]
    made = [line for table in tables() for line in table.splitlines()]
    assert [line for line in text.splitlines() if line.startswith("|")] == made
    published = [row[-1] for row in ROWS.values() if row[-1] != "-"]
    cells = [cell.strip() for line in made for cell in line.split("|")]
    assert sorted(cell for cell in cells if re.fullmatch(r"[\d.]+", cell)) == sorted(published)


# Recipes of earlier versions

OLD = """{
  "arch": "w18", "head": "v1", "input_size": [64, 64], "data_format": "coco",
  "train_annotations": "people.json", "train_images": "photos", "keypoints": "coco",
  "codec": {"name": "dark", "sigma": 1.0, "blur_kernel": 3}, "batch_size": 4
}"""


def test_a_recipe_of_an_earlier_version_is_a_pose_recipe():
    """It had no task, and may lack fields that came later; records of runs compare as recipes."""
    assert Recipe.from_json(OLD) == PLAIN
    assert completed(json.loads(OLD)) == json.loads(PLAIN.to_json())
    assert completed({"future": 1}) == {"future": 1}


def test_what_a_page_expects_is_no_value_of_a_run():
    recipe = load_recipe("coco_w32_256x192")
    again = Recipe.from_json(recipe.to_json())
    assert recipe.expected.numbers == {"AP": 0.744}
    assert again == recipe and again.expected is None
    with pytest.raises(ValueError, match="no field 'expected'"):
        override(recipe, {"expected": "1"})


def test_values_may_be_tuples_of_fractions():
    """Scales of a segmentation network, say."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Scaled(PoseRecipe):
        scales: tuple[float, ...] = (1.0,)

    recipe = Scaled(arch="w18", input_size=(64, 64), train_annotations="", train_images="")
    assert override(recipe, {"scales": "0.5,1"}).scales == (0.5, 1.0)
    for text in ("wide", "nan"):
        with pytest.raises(ValueError, match="`scales` must be finite numbers with commas"):
            override(recipe, {"scales": text})
