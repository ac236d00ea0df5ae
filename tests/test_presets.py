"""Presets: facts that agree with the published files, and weights that are never random unasked."""

import dataclasses
import hashlib
import re

import numpy as np
import pytest

from hrnet_tf.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.models import pose
from hrnet_tf.presets import PRESETS, from_preset
from hrnet_tf.specs import SPECS, LiteHRNetSpec

# As on download.openmmlab.com/mmpose; "v1" stands for v1/body_2d_keypoint/topdown_heatmap/coco.
PUBLISHED = """
animal/hrnet/hrnet_w32_ap10k_256x256-18aac840_20211029
animal/hrnet/hrnet_w48_ap10k_256x256-d95ab412_20211029
top_down/augmentation/hrnet_w32_coco_256x192_coarsedropout-0f16a0ce_20210320
top_down/augmentation/hrnet_w32_coco_256x192_gridmask-868180df_20210320
top_down/augmentation/hrnet_w32_coco_256x192_photometric-308cf591_20210320
v1/td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909
v1/td-hm_hrnet-w32_8xb64-210e_coco-384x288-ca5956af_20220909
v1/td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913
v1/td-hm_hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915
v1/td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-merge-b05435b9_20221025
v1/td-hm_hrnet-w32_8xb64-210e_coco-aic-256x192-combine-4ce66880_20221026
v1/td-hm_hrnet-w32_fp16-8xb64-210e_coco-256x192-f1e84e3b_20220914
v1/td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192-0e00bf12_20220914
v1/td-hm_hrnet-w32_dark-8xb64-210e_coco-384x288-9bab4c9b_20220917
v1/td-hm_hrnet-w48_dark-8xb32-210e_coco-256x192-e1ebdd6f_20220913
v1/td-hm_hrnet-w48_dark-8xb32-210e_coco-384x288-39c3c381_20220916
v1/td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192-73ede547_20220914
v1/td-hm_hrnet-w32_udp-8xb64-210e_coco-384x288-9a3f7c85_20220914
v1/td-hm_hrnet-w48_udp-8xb32-210e_coco-256x192-3feaef8f_20220913
v1/td-hm_hrnet-w48_udp-8xb32-210e_coco-384x288-70d7ab01_20220913
v1/td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192-9c0b77b4_20220926
top_down/litehrnet/litehrnet18_coco_256x192-6bace359_20211230
top_down/litehrnet/litehrnet18_coco_384x288-8d4dac48_20211230
top_down/litehrnet/litehrnet30_coco_256x192-4176555b_20210626
top_down/litehrnet/litehrnet30_coco_384x288-a3aef5c4_20210626
top_down/hrnet/hrnet_w32_crowdpose_256x192-960be101_20201227
top_down/hrnet/hrnet_w32_mpii_256x256_dark-f1601c5b_20200927
top_down/hrnet/hrnet_w48_mpii_256x256_dark-0decd39f_20200927
top_down/hrnet/hrnet_w32_mpii_256x256-6c4f923f_20200812
top_down/hrnet/hrnet_w48_mpii_256x256-92cab7bd_20200812
top_down/litehrnet/litehrnet18_mpii_256x256-cabd7984_20210623
top_down/litehrnet/litehrnet30_mpii_256x256-faae8bd8_20210622
top_down/hrnet/hrnet_w32_coco_wholebody_256x192-853765cd_20200918
top_down/hrnet/hrnet_w32_coco_wholebody_384x288-78cacac3_20200922
top_down/hrnet/hrnet_w48_coco_wholebody_256x192-643e18cb_20200922
top_down/hrnet/hrnet_w48_coco_wholebody_384x288-6e061c6a_20200922
top_down/hrnet/hrnet_w32_coco_wholebody_256x192_dark-469327ef_20200922
top_down/hrnet/hrnet_w48_coco_wholebody_384x288_dark-f5726563_20200918
"""

TINY = LiteHRNetSpec(8, modules=(1, 1, 1), blocks=1, weighting=False, stem=16)
each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def test_every_published_file_has_one_preset():
    urls = [preset.url for preset in PRESETS.values() if preset.url]
    base = "https://download.openmmlab.com/mmpose/"
    files = [
        re.sub("^v1/", "v1/body_2d_keypoint/topdown_heatmap/coco/", f) for f in PUBLISHED.split()
    ]
    assert sorted(urls) == sorted(f"{base}{file}.pth" for file in files)


@each_preset
def test_name_architecture_card_and_file_agree(preset):
    """A codec that does not belong to the weights costs several AP, without any error."""
    name, card = preset.name, preset.card
    height, width, _ = preset.kwargs["input_shape"]
    arch = name.replace("tinypose", "wider_naive_lite18").replace("lite_hrnet", "lite")
    arch = arch.removeprefix("hrnet_")
    assert preset.kwargs["arch"] in SPECS
    assert arch.startswith(preset.kwargs["arch"])
    assert name.endswith(f"_{height}x{width}")
    assert height % 32 == width % 32 == 0
    tiny = name.startswith("tinypose")
    assert tiny or name.endswith(f"_{card.keypoints.name}_{height}x{width}")
    codec = DARK if tiny or "_dark_" in name else UDP if "_udp_" in name else MSRA
    codec = UDPCombined if "_udp_regress_" in name else codec
    assert type(card.codec) is codec
    assert preset.kwargs["num_keypoints"] == card.codec.channels(len(card.keypoints.names))
    if hasattr(card.codec, "sigma"):
        assert card.codec.sigma == {128: 1.0, 256: 2.0, 384: 3.0}[height]
    if preset.url:
        assert f"{height}x{width}" in preset.url
        assert re.search(r"-([0-9a-f]{8})_\d{8}\.pth$", preset.url)[1] == preset.sha256
    assert all((preset.trained_on, preset.result, preset.licence, preset.source))


def test_blur_kernels_follow_the_code_that_published_the_result():
    kernels = {
        name: getattr(preset.card.codec, "blur_kernel", 11) for name, preset in PRESETS.items()
    }
    assert {name: kernel for name, kernel in kernels.items() if kernel != 11} == {
        "hrnet_w48_dark_coco_wholebody_384x288": 17,
        "tinypose_256x192": 3,
        "tinypose_128x96": 3,
    }


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("hrnet_w32_coco_256x129", "hrnet_w32_coco_256x192"),
        ("litehrnet18_coco_256x192", "lite_hrnet18_coco_256x192"),
        ("hrnet_w32_wholebody_256x192", "hrnet_w32_coco_wholebody_256x192"),
    ],
)
def test_a_misspelt_name_gets_the_closest(wrong, right):
    with pytest.raises(ValueError, match=f"{right}.*`hrnet-tf models` lists all"):
        from_preset(wrong)


def test_a_name_like_no_other_still_gets_the_way_out():
    with pytest.raises(ValueError, match=r"Received: name='☃'\. `hrnet-tf models` lists all"):
        from_preset("☃")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("hrnet_w32_coco_256x192", "Get https://.*81c58e40_20220909.pth and give its path"),
        ("tinypose_256x192", "no file that can be read here is published"),
    ],
)
def test_published_weights_are_an_error_and_never_random(name, way_out):
    with pytest.raises(ValueError, match=way_out):
        from_preset(name)


@pytest.fixture
def tiny(monkeypatch):
    """A preset of a network that builds at once, with a file name as OpenMMLab gives them."""
    preset = PRESETS["tinypose_128x96"]
    preset = dataclasses.replace(
        preset,
        name="tiny",
        kwargs={**preset.kwargs, "arch": TINY, "input_shape": (32, 32, 3)},
        url="https://example.org/tiny-00000000_20240101.pth",
        sha256="00000000",
    )
    monkeypatch.setitem(PRESETS, "tiny", preset)
    return preset


def state_of(model):
    """Arrays of a network in PyTorch's names and layouts."""
    leaves = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
    leaves |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    state = {}
    for layer in model.layers:
        for weight in layer.weights:
            array = np.asarray(weight)
            depthwise = "Depthwise" in type(layer).__name__
            if array.ndim == 4:
                array = array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            state[f"{layer.name}.{leaves[weight.name]}"] = array
    return state


def test_weights_come_from_arrays_or_a_file_and_give_the_same_network(tiny, tmp_path):
    trained = pose(**tiny.kwargs)
    state = state_of(trained)
    np.savez(tmp_path / "tiny.npz", **state)
    image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    want = np.asarray(trained(image))
    for weights in (state, str(tmp_path / "tiny.npz")):
        np.testing.assert_array_equal(np.asarray(from_preset("tiny", weights)(image)), want)
    assert not np.array_equal(np.asarray(from_preset("tiny", None)(image)), want)


def test_a_file_with_the_published_name_must_have_the_published_hash(tiny, tmp_path, monkeypatch):
    """A download that broke off, caught before its contents are believed."""
    file = tmp_path / "tiny-00000000_20240101.pth"
    with file.open("wb") as stream:
        np.savez(stream, **state_of(pose(**tiny.kwargs)))
    with pytest.raises(ValueError, match=r"truncated or altered.*get it again from https://"):
        from_preset("tiny", file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(tiny, sha256=digest[:8]))
    assert from_preset("tiny", file).count_params() > 0


def test_weights_that_do_not_fit_or_are_not_there_are_an_error(tiny, tmp_path):
    with pytest.raises(ValueError, match="missing"):
        from_preset("tiny", {})
    with pytest.raises(OSError, match=r"nowhere\.pth"):
        from_preset("tiny", tmp_path / "nowhere.pth")


@pytest.mark.data
@pytest.mark.parametrize("size", ["256x192", "128x96"])
def test_trained_tinypose_weights_give_the_heat_maps_stored_with_them(data_dir, size):
    """Real weights, as a user gives them by path."""
    file = data_dir / "tinypose" / f"derived_tinypose_{size}.npz"
    example = np.load(file)
    ours = np.asarray(from_preset(f"tinypose_{size}", file)(example["input"].transpose(0, 2, 3, 1)))
    assert np.abs(ours.transpose(0, 3, 1, 2) - example["heatmaps"]).max() < 1e-4
