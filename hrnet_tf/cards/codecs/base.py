"""What a codec is: the pair (keypoints -> training target, heatmaps -> keypoints)."""

from typing import ClassVar

STRIDE = 4  # crop pixels per heatmap pixel: every pose network predicts at a quarter of its input


class Codec:
    """Turns keypoints into heatmaps and back; subclasses are frozen dataclasses of their settings.

    Attributes:
        name: As in model cards and on the command line.
        aligned: Which crop the codec belongs to: `geometry.affine(..., aligned=codec.aligned)`.
        shift_flipped: Whether the flip test moves the mirrored heatmaps one column to the right.
        mirror_signs: One sign for each channel of a keypoint: what mirroring does to its values.
    """

    name: ClassVar[str]
    aligned: ClassVar[bool] = False
    shift_flipped: ClassVar[bool] = True
    mirror_signs: ClassVar[tuple[int, ...]] = (1,)

    def channels(self, num_keypoints: int) -> int:
        """Channels of the heatmaps of this many keypoints."""
        return num_keypoints * len(self.mirror_signs)

    def joint_maps(self, heatmaps):
        """Of heat maps (..., h, w, channels(K)) the map of each keypoint that is largest where the
        keypoint is: (..., h, w, K). Other channels of a keypoint are offsets.
        """
        return heatmaps[..., :: len(self.mirror_signs)]

    def encode(self, keypoints, visible, input_size: tuple[int, int]):
        """Training targets.

        Args:
            keypoints: (B, K, 2) in crop pixels.
            visible: (B, K), 0 or 1.
            input_size: (height, width) of the crop.

        Returns:
            Heatmaps (B, height / 4, width / 4, channels(K)) and weights (B, K): `visible`, and 0
            where the keypoint is out of reach.
        """
        raise NotImplementedError

    def decode(self, heatmaps):
        """Keypoints (B, K, 2) in crop pixels and their scores (B, K), the maxima of the maps.

        Args:
            heatmaps: (B, H, W, channels(K)); a map without a positive value decodes to (0, 0).
        """
        raise NotImplementedError
