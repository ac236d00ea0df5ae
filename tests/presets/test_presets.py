"""Presets: facts that agree with the published files, weights that are never random unasked, and
the pages and tables made of them.
"""

import dataclasses
import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import hrnet_tf
from hrnet_tf import presets
from hrnet_tf.cards.codecs import DARK, MSRA, UDP, UDPCombined
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.specs import SPECS, LiteHRNetSpec
from hrnet_tf.presets import PRESETS, SIZES, from_preset

from places import ROOT

# As on download.openmmlab.com/mmpose; "v1" stands for v1/body_2d_keypoint/topdown_heatmap/coco.
# For mmsegmentation and mmdetection without the folder of the file's own name.
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
face/hrnetv2/hrnetv2_w18_300w_256x256-eea53406_20211019
face/hrnetv2/hrnetv2_w18_aflw_256x256-f2bbc62b_20210125
face/darkpose/hrnetv2_w18_aflw_256x256_dark-219606c0_20210125
face/hrnetv2/hrnetv2_w18_cofw_256x256-49243ab8_20211019
face/hrnetv2/hrnetv2_w18_wflw_256x256_awing-5af5055c_20211212
face/darkpose/hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125
face/hrnetv2/hrnetv2_w18_wflw_256x256-2bf032a6_20210125
hand/dark/hrnetv2_w18_onehand10k_256x256_dark-a2f80c64_20210330
hand/hrnetv2/hrnetv2_w18_onehand10k_256x256-30bc9c6b_20210330
hand/udp/hrnetv2_w18_onehand10k_256x256_udp-0d1b515d_20210330
mmsegmentation/v0.5/hrnet/fcn_hr18s_512x1024_160k_cityscapes_20200602_190901-4a0797ea
mmsegmentation/v0.5/hrnet/fcn_hr18_512x1024_160k_cityscapes_20200602_190822-221e4a4f
mmsegmentation/v0.5/hrnet/fcn_hr48_512x1024_160k_cityscapes_20200602_190946-59b7973e
mmsegmentation/v0.5/hrnet/fcn_hr18s_512x512_160k_ade20k_20210829_174739-f1e7c2e7
mmsegmentation/v0.5/hrnet/fcn_hr18_512x512_160k_ade20k_20200614_214426-ca961836
mmsegmentation/v0.5/hrnet/fcn_hr48_512x512_160k_ade20k_20200614_214407-a52fc02c
mmsegmentation/v0.5/hrnet/fcn_hr48_480x480_80k_pascal_context_20200911_155322-847a6711
mmsegmentation/v0.5/hrnet/fcn_hr48_480x480_80k_pascal_context_59_20210411_003240-3ae7081e
mmsegmentation/v0.5/ocrnet/ocrnet_hr18s_512x1024_160k_cityscapes_20200602_191005-f4a7af28
mmsegmentation/v0.5/ocrnet/ocrnet_hr18_512x1024_160k_cityscapes_20200602_191001-b9172d0c
mmsegmentation/v0.5/ocrnet/ocrnet_hr48_512x1024_160k_cityscapes_20200602_191037-dfbf1b0c
mmsegmentation/v0.5/ocrnet/ocrnet_hr18s_512x512_160k_ade20k_20200615_184505-8e913058
mmsegmentation/v0.5/ocrnet/ocrnet_hr18_512x512_160k_ade20k_20200615_200940-d8fcd9d1
mmsegmentation/v0.5/ocrnet/ocrnet_hr48_512x512_160k_ade20k_20200615_184705-a073726d
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w18_1x_coco_20200130-56651a6d
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w18_2x_coco_20200702_085731-a4ec0611
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w32_1x_coco_20200130-6e286425
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w32_2x_coco_20200529_015927-976a9c15
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w40_1x_coco_20200210-95c1f5ce
mmdetection/v2.0/hrnet/faster_rcnn_hrnetv2p_w40_2x_coco_20200512_161033-0f236ef4
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w18_1x_coco_20200205-1c3d78ed
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w18_2x_coco_20200212-b3c825b1
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w32_1x_coco_20200207-b29f616e
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w32_2x_coco_20200213-45b75b4d
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w40_1x_coco_20200511_015646-66738b35
mmdetection/v2.0/hrnet/mask_rcnn_hrnetv2p_w40_2x_coco_20200512_163732-aed5e4ab
mmdetection/v2.0/hrnet/cascade_rcnn_hrnetv2p_w18_20e_coco_20200210-434be9d7
mmdetection/v2.0/hrnet/cascade_rcnn_hrnetv2p_w32_20e_coco_20200208-928455a4
mmdetection/v2.0/hrnet/cascade_rcnn_hrnetv2p_w40_20e_coco_20200512_161112-75e47b04
mmdetection/v2.0/hrnet/cascade_mask_rcnn_hrnetv2p_w18_20e_coco_20200210-b543cd2b
mmdetection/v2.0/hrnet/cascade_mask_rcnn_hrnetv2p_w32_20e_coco_20200512_154043-39d9cf7b
mmdetection/v2.0/hrnet/cascade_mask_rcnn_hrnetv2p_w40_20e_coco_20200527_204922-969c4610
mmdetection/v2.0/hrnet/htc_hrnetv2p_w18_20e_coco_20200210-b266988c
mmdetection/v2.0/hrnet/htc_hrnetv2p_w32_20e_coco_20200207-7639fa12
mmdetection/v2.0/hrnet/htc_hrnetv2p_w40_20e_coco_20200529_183411-417c4d5b
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w18_gn-head_4x4_1x_coco_20201212_100710-4ad151de
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w18_gn-head_4x4_2x_coco_20201212_101110-5c575fa5
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w32_gn-head_4x4_1x_coco_20201211_134730-cb8055c0
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w32_gn-head_4x4_2x_coco_20201212_112133-77b6b9bb
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w18_gn-head_mstrain_640-800_4x4_2x_coco_20201212_111651-441e9d9f
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w32_gn-head_mstrain_640-800_4x4_2x_coco_20201212_090846-b6f2b49f
mmdetection/v2.0/hrnet/fcos_hrnetv2p_w40_gn-head_mstrain_640-800_4x4_2x_coco_20201212_124752-f22d2ce5
"""
VERSION_1 = """
faster_rcnn_hrnetv2p_w48_1x_20190820-5c6d0903
faster_rcnn_hrnetv2p_w48_2x_20190820-79fb8bfc
mask_rcnn_hrnetv2p_w48_1x_20190820-0923d1ad
mask_rcnn_hrnetv2p_w48_2x_20190820-70df51b2
cascade_rcnn_hrnetv2p_w48_20e_20190810-f40ed8e1
cascade_mask_rcnn_hrnetv2p_w48_20e_20190810-d04a1415
htc_hrnetv2p_w48_20e_20190810-f6d2c3fd
htc_hrnetv2p_w48_28e_20190810-a4274b38
fcos_hrnetv2p_w48_mstrain_2x_20190810-f7dc8801
"""
TIMM = """
hrnet_w18_small.gluon_in1k hrnet_w18_small.ms_in1k hrnet_w18_small_v2.gluon_in1k
hrnet_w18_small_v2.ms_in1k hrnet_w18.ms_aug_in1k hrnet_w18.ms_in1k hrnet_w30.ms_in1k
hrnet_w32.ms_in1k hrnet_w40.ms_in1k hrnet_w44.ms_in1k hrnet_w48.ms_in1k hrnet_w64.ms_in1k
hrnet_w18_ssld.paddle_in1k hrnet_w48_ssld.paddle_in1k
"""

TINY = LiteHRNetSpec(8, modules=(1, 1, 1), blocks=1, weighting=False, stem=16)
each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def of(builder, condition=lambda preset: True):
    """The presets of one builder, as a parameter of a test."""
    chosen = [each for each in PRESETS.values() if each.builder is builder and condition(each)]
    return pytest.mark.parametrize("preset", chosen, ids=lambda preset: preset.name)


def full_url(path):
    folder, file = path.rsplit("/", 1)
    if folder == "v1":
        folder = "v1/body_2d_keypoint/topdown_heatmap/coco"
    if folder.startswith("mmseg") or folder.startswith("mmdet"):
        run = re.sub(r"(_\d{8}|_\d{6})+-[0-9a-f]{8}$", "", file)
        return f"https://download.openmmlab.com/{folder}/{run}/{file}.pth"
    return f"https://download.openmmlab.com/mmpose/{folder}/{file}.pth"


def test_every_published_file_has_one_preset():
    urls = [preset.url for preset in PRESETS.values() if preset.url]
    hub = "https://huggingface.co/timm/{}/resolve/main/model.safetensors"
    hub = [hub.format(tag) for tag in TIMM.split()]
    old = "https://open-mmlab.s3.ap-northeast-2.amazonaws.com/mmdetection/models/hrnet/{}.pth"
    old = map(old.format, VERSION_1.split())
    ncnn = [PRESETS[f"tinypose_{size}"].url for size in ("256x192", "128x96")]
    assert sorted(urls) == sorted([*map(full_url, PUBLISHED.split()), *old, *hub, *ncnn])


@each_preset
def test_name_architecture_size_and_hash_agree(preset):
    arch = preset.name.replace("tinypose", "wider_naive_lite18").replace("lite_hrnet", "lite")
    assert preset.kwargs["arch"] in SPECS
    if preset.builder is hrnet_tf.detection:
        assert preset.name.startswith(f"{preset.kwargs['head']}_hrnet_{preset.kwargs['arch']}_")
        assert preset.name.endswith("_coco") and preset.size == "any"
    else:
        assert arch.removeprefix("hrnet_").startswith(preset.kwargs["arch"])
        assert preset.name.endswith(f"_{preset.size}")
    assert all((preset.trained_on, preset.result, preset.licence, preset.source))
    if preset.url.endswith(".pth"):
        assert re.search(rf"-{preset.sha256}(_\d{{8}})?\.pth$", preset.url)
        assert preset.builder is hrnet_tf.detection or preset.size in preset.url
    elif preset.url.endswith(".bin"):
        assert preset.url.endswith(f"/{preset.name}.bin") and len(preset.sha256) == 64
    else:
        assert preset.sha256 == ""


@of(hrnet_tf.pose, lambda preset: "head" not in preset.kwargs)
def test_codec_and_keypoints_of_bodies_agree_with_the_name(preset):
    """A codec that does not belong to the weights costs several AP, without any error."""
    name, card = preset.name, preset.card
    height, width, _ = preset.kwargs["input_shape"]
    assert height % 32 == width % 32 == 0
    tiny = name.startswith("tinypose")
    assert tiny or name.endswith(f"_{card.keypoints.name}_{height}x{width}")
    codec = DARK if tiny or "_dark_" in name else UDP if "_udp_" in name else MSRA
    codec = UDPCombined if "_udp_regress_" in name else codec
    assert type(card.codec) is codec
    assert preset.kwargs["num_keypoints"] == card.codec.channels(len(card.keypoints.names))
    if hasattr(card.codec, "sigma"):
        assert card.codec.sigma == {128: 1.0, 256: 2.0, 384: 3.0}[height]


@of(hrnet_tf.pose, lambda preset: "head" in preset.kwargs)
def test_codec_and_keypoints_of_faces_and_hands_agree_with_the_name(preset):
    name, card = preset.name, preset.card
    assert card.keypoints.name.replace("hand21", "onehand10k") in name
    assert type(card.codec) is (DARK if "_dark_" in name else UDP if "_udp_" in name else MSRA)
    assert card.codec.sigma == (1.5 if "cofw" in name else 2)
    assert preset.kwargs["head"] == "v2"
    assert preset.kwargs["num_keypoints"] == len(card.keypoints.names)


@of(hrnet_tf.segmentation)
def test_head_classes_and_grid_of_segmentation_agree_with_the_name(preset):
    """The grid of bilinear upsampling cannot be told from a file; the wrong one is no error."""
    name, card = preset.name, preset.card
    head, grid = preset.kwargs["head"], preset.kwargs["align_corners"]
    assert head == ("ocr" if "_ocr" in name else "concat")
    original = "_fcn_" not in name and "_ocrnet_" not in name
    assert grid == card.align_corners
    assert grid == (original and bool(re.search("_ocr_|ade20k|coco_stuff", name)))
    assert original == (preset.url == "")
    counts = {"cityscapes": 19, "lip": 20, "context_4": 59, "context_5": 59, "context_60": 60}
    counts |= {"ade20k": 150, "coco_stuff": 171}
    wanted = next(count for data, count in counts.items() if data in name)
    assert preset.kwargs["num_classes"] == len(card.classes) == wanted
    assert bool(card.flip_pairs) == ("lip" in name)


@of(hrnet_tf.classification)
def test_crops_of_classifiers_are_those_they_were_tested_with(preset):
    name, card = preset.name, preset.card
    assert len(card.classes) == 1000
    wanted = 1.0 if "ssld" in name else 0.95 if "_aug_" in name else 0.875
    assert card.crop_fraction == wanted
    assert card.interpolation == ("bicubic" if "gluon" in name else "bilinear")
    assert preset.kwargs.get("use_bias", True) == ("ssld" not in name)


@of(hrnet_tf.detection)
def test_cards_of_detectors_are_those_of_their_training(preset):
    """Wrong colours or a wrong geometry cost AP without any error."""
    card, head = preset.card, preset.kwargs["head"]
    old = "mmdetection 1" in preset.source
    assert old == (preset.kwargs["arch"] == "w48")
    assert card.head == head and len(card.classes) == preset.kwargs["num_classes"] == 80
    assert card.geometry == ("inclusive" if old else "continuous")
    assert preset.kwargs.get("geometry", "continuous") == card.geometry
    assert card.channels == ("bgr" if head == "fcos" else "rgb")
    assert card.score_threshold == (0.001 if head == "htc" else 0.05)
    assert ("mask AP" in preset.result) == card.masks
    gray = np.full((1, 1, 3), 128.0)
    gray[..., 0] = 255.0  # of red
    found = np.asarray(card.normalize(gray)).ravel()
    if head != "fcos":
        np.testing.assert_allclose(found[0], (255 - 123.675) / 58.395, rtol=1e-6)
    elif old:  # blue, green, red minus Caffe's means
        means = (128 - 102.9801, 128 - 115.9465, 255 - 122.7717)
        np.testing.assert_allclose(found, means, rtol=1e-5)
    else:
        np.testing.assert_allclose(found[2], (255 - 123.675) / 58.395, rtol=1e-6)


def test_the_longest_training_of_a_detector_has_the_short_name():
    names = [name for name in PRESETS if "htc" in name or "fcos_hrnet_w18" in name]
    assert names == [
        *(f"htc_hrnet_{arch}_coco" for arch in ("w18", "w32", "w40")),
        *(f"fcos_hrnet_w18_{each}coco" for each in ("1x_", "2x_", "")),
        "htc_hrnet_w48_20e_coco",
        "htc_hrnet_w48_coco",
    ]
    assert "mstrain_640-800" in PRESETS["fcos_hrnet_w18_coco"].url
    assert "_28e_" in PRESETS["htc_hrnet_w48_coco"].url


def test_blur_kernels_follow_the_code_that_published_the_result():
    codecs = {
        name: preset.card.codec
        for name, preset in PRESETS.items()
        if preset.builder is hrnet_tf.pose
    }
    kernels = {name: getattr(codec, "blur_kernel", 11) for name, codec in codecs.items()}
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
        ("hrnet_w48_pascal_context_480x480", "no stable address. Get it by the README of HRNet"),
        ("hrnet_w48_ocr_lip_473x473", "no stable address. Get it by the README of HRNet-Semantic"),
    ],
)
def test_weights_without_an_address_are_an_error_and_never_random(name, way_out):
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


def test_published_weights_are_fetched_with_their_hash_and_addresses_without(tiny, monkeypatch):
    asked, state = [], state_of(pose(**tiny.kwargs))
    monkeypatch.setattr(presets, "download", lambda *given: asked.append(given) or state)
    for weights in ("published", "https://example.org/mine.npz", "hf://me/mine"):
        from_preset("tiny", weights)
    assert asked == [(tiny.url, "00000000"), ("https://example.org/mine.npz",), ("hf://me/mine",)]


def test_weights_that_do_not_fit_or_are_not_there_are_an_error(tiny, tmp_path):
    with pytest.raises(ValueError, match="missing"):
        from_preset("tiny", {})
    with pytest.raises(OSError, match=r"nowhere\.pth"):
        from_preset("tiny", tmp_path / "nowhere.pth")


@pytest.mark.data
@pytest.mark.parametrize("size", ["256x192", "128x96"])
@pytest.mark.parametrize("form", ["derived_tinypose_{}.npz", "tinypose_{}.bin"])
def test_trained_tinypose_weights_give_the_heat_maps_stored_with_them(data_dir, size, form):
    """Real weights, as a user gives them by path; ncnn's file has the published hash."""
    folder, name = data_dir / "tinypose", f"tinypose_{size}"
    example = np.load(folder / f"derived_{name}.npz")
    model = from_preset(name, folder / form.format(size))
    ours = np.asarray(model(example["input"].transpose(0, 2, 3, 1)))
    assert np.abs(ours.transpose(0, 3, 1, 2) - example["heatmaps"]).max() < 1e-4


def test_another_input_shape_gives_the_same_network_for_it(tiny):
    trained = pose(**tiny.kwargs)
    model = from_preset("tiny", state_of(trained), input_shape=(64, 32, 3))
    assert model.input_shape == (None, 64, 32, 3)
    for ours, wanted in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


# --- Pages ------------------------------------------------------------------------------------


def test_pages_are_those_the_presets_make():
    """After a change of presets: `python docs/generate.py`."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    texts = generate.pages()
    assert {*generate.written(), Path("models.md")} == set(texts)
    for path, text in texts.items():
        assert (ROOT / "docs" / path).read_text(encoding="utf-8") == text, f"{path} is stale"


def test_every_preset_has_its_size():
    """After a change of presets: `python docs/measure.py`."""
    assert SIZES.keys() == PRESETS.keys()
