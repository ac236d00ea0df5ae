"""A PyTorch network to compare with: HRNetV1 for poses, of timm's layers.

`pip install torch timm`, or name a folder into which pip put them (`--target`): `PEERS=FOLDER`.
"""

import os
import sys


def torch_pose(spec, keypoints=17):
    """A module from (B, 3, H, W) to heat maps (B, keypoints, H / 4, W / 4).

    timm's HRNets end with four maps and a classifier. The pose networks of Sun et al. CVPR 2019 end
    with the first map and a 1x1 convolution; so the last exchange is cut to its first sum, and what
    follows it is left out. The parameters are then as many as those of `hrnet_tf.pose(spec)`.

    Args:
        spec: `hrnet_tf.HRNetSpec`.
        keypoints: number of heat maps.
    """
    sys.path += filter(None, os.environ.get("PEERS", "").split(os.pathsep))
    from timm.models.hrnet import HighResolutionNet
    from torch import nn

    def stage(number, modules, blocks, channels, kind="BASIC"):
        return {
            "num_modules": modules,
            "num_branches": number,
            "block_type": kind,
            "num_blocks": (blocks,) * number,
            "num_channels": channels,
            "fuse_method": "SUM",
        }

    stages = {"stage1": stage(1, 1, spec.stage1_blocks, (spec.stage1_planes,), "BOTTLENECK")}
    for number, modules in enumerate(spec.modules, 2):
        channels = spec.channels[:number]
        stages[f"stage{number}"] = stage(number, modules, spec.blocks, channels)
    whole = HighResolutionNet({"stem_width": 64, **stages})
    whole.stage4[-1].fuse_layers = whole.stage4[-1].fuse_layers[:1]
    for name in ("incre_modules", "downsamp_modules", "final_layer", "classifier"):
        setattr(whole, name, None)

    class Pose(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = whole
            self.last = nn.Conv2d(spec.width, keypoints, 1)

        def forward(self, x):
            trunk = self.trunk
            x = trunk.act1(trunk.bn1(trunk.conv1(x)))
            x = trunk.act2(trunk.bn2(trunk.conv2(x)))
            return self.last(trunk.stages(x)[0])

    return Pose()
