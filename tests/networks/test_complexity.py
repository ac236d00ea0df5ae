"""Parameters and multiply-adds: the graphs, the stored table and the originals agree."""

import keras
import numpy as np
import pytest
from keras import layers

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.networks.complexity import complexity
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.presets import PRESETS, SIZES
from hrnet_tf.presets.sizes import ARCHITECTURES

TINY = HRNetSpec(8, 1, 8, (1, 1, 1), 1)


def test_every_kind_of_layer_is_counted_by_hand():
    image = keras.Input((8, 6, 3))
    x = layers.Conv2D(4, 3, 2, "same")(image)  # 4x3 positions of 3*3*3*4
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)  # 4x3 of 3*3*4
    x = layers.Conv2DTranspose(5, 4, 2, "same", use_bias=False)(x)  # 4x3 of the input, 4*4*5*4
    x = layers.UpSampling2D(2)(x)
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))  # 5*2
    found = complexity(keras.Model(image, x))
    assert found.multiply_adds == 12 * 108 + 12 * 36 + 12 * 320 + 10
    assert found.parameters == (108 + 4) + 8 + 36 + 320 + (10 + 2)
    assert found.giga == found.multiply_adds / 2**30


def test_size_that_is_not_fixed_is_refused():
    with pytest.raises(ValueError, match=r"fixed input size.*\(None, None, 3\)\. Build it with"):
        complexity(hrnet_tf.pose(TINY, (None, None, 3)))


# What the originals' own modules have: parameters, and multiply-adds in units of 10**9 or of 2**30.
ORIGINALS = {
    "hrnet_w32_coco_256x192": (28_536_113, 7.645, 7.120),
    "hrnet_w32_coco_384x288": (28_536_113, 17.201, 16.020),
    "hrnet_w48_coco_256x192": (63_595_745, 15.692, 14.614),
    "hrnet_w48_coco_384x288": (63_595_745, 35.307, 32.882),
    "hrnet_w32_mpii_256x256": (28_536_080, 10.193, 9.493),
    "hrnet_w48_mpii_256x256": (63_595_696, 20.922, 19.485),
    "hrnet_w18_small_v1_imagenet_224x224": (13_187_464, 1.602, 1.492),
    "hrnet_w18_small_v2_imagenet_224x224": (15_597_464, 2.596, 2.417),
    "hrnet_w18_imagenet_224x224": (21_299_004, 4.284, 3.989),
    "hrnet_w30_imagenet_224x224": (37_712_220, 8.106, 7.549),
    "hrnet_w32_imagenet_224x224": (41_232_680, 8.921, 8.308),
    "hrnet_w40_imagenet_224x224": (57_557_160, 12.692, 11.820),
    "hrnet_w44_imagenet_224x224": (67_064_984, 14.883, 13.861),
    "hrnet_w48_imagenet_224x224": (77_469_864, 17.278, 16.091),
    "hrnet_w64_imagenet_224x224": (128_059_944, 28.895, 26.911),
    "hrnet_w48_lip_473x473": (65_860_100, 81.58, 75.98),
    "hrnet_w48_pascal_context_480x480": (65_888_219, 82.54, 76.87),
    "hrnet_w48_ocr_lip_473x473": (70_373_912, 140.8, 131.1),
    "hrnet_w48_ocr_ade20k_520x520": (70_534_332, 171.4, 159.6),
    "hrnet_w18_300w_256x256": (9_654_398, 4.66, 4.340),
    "hrnet_w18_wflw_256x256": (9_662_528, 4.69, 4.371),
    "lite_hrnet18_coco_256x192": (1_130_769, 0.1986, 0.1850),
    "lite_hrnet18_coco_384x288": (1_130_769, 0.4468, 0.4161),
    "lite_hrnet30_coco_256x192": (1_763_717, 0.3095, 0.2882),
    "lite_hrnet30_coco_384x288": (1_763_717, 0.6960, 0.6482),
    "tinypose_256x192": (1_318_625, 0.3023, 0.2816),
}
PARAMETERS = {
    "hrnet_w18_aflw_256x256": 9_641_119,
    "hrnet_w18_cofw_256x256": 9_643_829,
    "hrnet_w18_small_v1_cityscapes_512x1024": 1_540_819,
    "hrnet_w18_small_v2_cityscapes_512x1024": 3_939_579,
    "hrnet_w48_cityscapes_512x1024": 65_859_379,
    "hrnet_w48_ocr_cityscapes_512x1024": 70_372_678,
    "fcos_hrnet_w18_coco": 17_500_654,
    "faster_rcnn_hrnet_w18_coco": 27_482_676,
    "mask_rcnn_hrnet_w18_coco": 30_125_956,
}


def places(number):
    """Half a unit in the last place printed."""
    return 0.51 * 10 ** -len(f"{number}".partition(".")[2])


@pytest.mark.parametrize("name", ORIGINALS)
def test_stored_sizes_are_those_of_the_originals(name):
    parameters, decimal, binary = ORIGINALS[name]
    found = SIZES[name]
    assert found[0] == parameters
    assert found[1] / 1e9 == pytest.approx(decimal, abs=places(decimal))
    assert found[1] / 2**30 == pytest.approx(binary, abs=places(binary))


def test_stored_parameters_are_those_of_the_originals():
    assert {name: SIZES[name][0] for name in PARAMETERS} == PARAMETERS


def test_stored_sizes_of_segmentation_scale_to_those_of_the_originals():
    """Published for whole Cityscapes images, four times the window."""
    for name, printed in [
        ("hrnet_w18_small_v1_cityscapes_512x1024", 33.39),
        ("hrnet_w18_small_v2_cityscapes_512x1024", 76.86),
        ("hrnet_w48_cityscapes_512x1024", 747.5),
    ]:
        assert 4 * SIZES[name][1] / 1e9 == pytest.approx(printed, abs=places(printed))
    # Of OCR's convolutions a few see regions, not pixels, and do not scale.
    assert 4 * SIZES["hrnet_w48_ocr_cityscapes_512x1024"][1] / 1e9 == pytest.approx(
        1295.3, abs=0.06
    )


REPRESENTATIVES = {
    "lite_hrnet18_coco_256x192",
    "tinypose_128x96",
    "hrnet_w18_wflw_256x256",
    "hrnet_w18_small_v1_imagenet_224x224",
    "hrnet_w18_ssld_imagenet_288x288",
    "hrnet_w18_small_v2_ocrnet_ade20k_512x512",
    "hrnet_w18_small_v1_cityscapes_512x1024",
    "faster_rcnn_hrnet_w18_coco",
}


@pytest.fixture(scope="module")
def built():
    """Counts of networks that several presets share."""
    counted = {}

    def count(builder, **kwargs):
        key = (builder, *sorted(kwargs.items()))
        if key not in counted:
            found = complexity(builder(**kwargs))
            counted[key] = (found.parameters, found.multiply_adds)
            keras.backend.clear_session()
        return counted[key]

    return count


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in REPRESENTATIVES else [pytest.mark.slow])
        for name in PRESETS
    ],
)
def test_stored_sizes_are_those_of_the_graphs(name, built):
    """After a change of networks or presets: `python docs/measure.py`."""
    preset = PRESETS[name]
    assert built(preset.builder, **preset.measured) == SIZES[name]


@pytest.mark.parametrize(
    "arch",
    [
        pytest.param(name, marks=[] if "small_v1" in name else [pytest.mark.slow])
        for name in hrnet_tf.SPECS
    ],
)
def test_stored_architectures_are_those_of_the_graphs(arch, built):
    pose, classification = ARCHITECTURES[arch]
    assert built(hrnet_tf.pose, arch=arch, input_shape=(256, 192, 3), num_keypoints=17) == pose
    assert (classification is None) == ("lite" in arch)
    if classification:
        wanted = built(hrnet_tf.classification, arch=arch, input_shape=(224, 224, 3))
        assert wanted == classification


def test_the_command_lists_cost_input_result_and_licence(capsys):
    assert cli.main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "28.54 M    7.12 G   41.23 M    8.31 G" in lines["w32"]
    for fact in ("512x1024", "19 cityscapes classes", "70.37 M  301.60 G", "mean IoU 81.6 %", "("):
        assert fact in lines["hrnet_w48_ocr_cityscapes_512x1024"]
    assert "file: Apache-2.0" in lines["(1)"]


def test_every_architecture_has_its_size():
    assert ARCHITECTURES.keys() == hrnet_tf.SPECS.keys()
    naive, wider = ARCHITECTURES["naive_lite18"][0], ARCHITECTURES["wider_naive_lite18"][0]
    assert (naive[0], wider[0]) == (760_365, 1_318_625)
    np.testing.assert_allclose((naive[1] / 1e6, wider[1] / 1e6), (185.5, 302.3), atol=0.06)
