"""The trunk of every network: an image to maps of several resolutions."""

import keras

from hrnet_tf.networks.blocks import nearest
from hrnet_tf.networks.checks import MULTIPLE, check_input_shape, spec_of
from hrnet_tf.networks.hrnet import hrnet
from hrnet_tf.networks.lite_hrnet import lite_hrnet
from hrnet_tf.networks.specs import LiteHRNetSpec


def trunk(arch, input_shape, outputs, upsample=nearest, multiple=MULTIPLE):
    """The input and the first `outputs` maps of a trunk."""
    spec = spec_of(arch)
    lite = isinstance(spec, LiteHRNetSpec)
    check_input_shape(input_shape, multiple, dynamic=not lite)
    image = keras.Input(tuple(input_shape), name="image")
    xs = lite_hrnet(image, spec)[:outputs] if lite else hrnet(image, spec, outputs, upsample)
    return image, xs


def network_name(arch, task):
    return f"{arch}_{task}" if isinstance(arch, str) else f"hrnet_{task}"
