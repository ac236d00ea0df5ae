"""HRNet-W32 at 256x192 on COCO with UDP (Huang et al. CVPR 2020, README of its repository).

Expected: the AP below as `coco_w32_256x192` counts it, but with better boxes: those of a detector
of person AP 65.1, with which HRNet-W32 without UDP has .756. Trained on 4 GPUs with 32 crops each.

Maps are a disc of 4 pixels and two offsets; decoding leaves out the repository's 7x7 blur of the
offsets. Its later "UDPv1" has a disc of 3.5 pixels and AP .772:
`--codec=udp_combined,radius_factor=0.0546875`. Gaussian maps are `--codec=udp,sigma=2`, and
OpenMMLab's training of those the preset `hrnet_w32_udp_coco_256x192`.

    hrnet-tf train coco_w32_256x192_udp --workdir=runs/coco_w32_256x192_udp
"""

import dataclasses

from hrnet_tf.cards.codecs import UDPCombined
from hrnet_tf.training.recipe import Expected
from hrnet_tf.training.recipes.pose.coco_w32_256x192 import RECIPE as BASE

RECIPE = dataclasses.replace(
    BASE,
    codec=UDPCombined(radius_factor=4 / 64, blur_kernel=7),
    expected=Expected({"AP": 0.768}, "better boxes, see the page"),
)
