"""Widths, modules and blocks of every published variant, as data.

Sources: Sun et al. CVPR 2019 and Wang et al. TPAMI 2020 (HRNet), Yu et al. CVPR 2021 (Lite-HRNet),
and the configuration files of their repositories.
"""

from dataclasses import dataclass

STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class HRNetSpec:
    """One HRNet: stream `i` has `width * 2**i` channels at stride `4 * 2**i`."""

    width: int
    stage1_blocks: int = 4
    stage1_planes: int = 64
    modules: tuple[int, int, int] = (1, 4, 3)  # stages 2, 3, 4
    blocks: int = 4  # basic blocks per stream of a module
    # Exchange units follow every module ("within"), every stage ("across") or only the last module
    # ("final"). COCO AP of W32 from scratch: 73.4, 71.9, 70.8 (Table 6 of Sun et al. CVPR 2019).
    exchange: str = "within"

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.width * 2**i for i in range(len(STRIDES)))

    def exchanges(self, stage: int, module: int) -> bool:
        """Whether an exchange unit follows this module; stages count from 2, modules from 0."""
        ends_stage = module == self.modules[stage - 2] - 1
        return {"within": True, "across": ends_stage, "final": ends_stage and stage == 4}[
            self.exchange
        ]


@dataclass(frozen=True)
class LiteHRNetSpec:
    """One Lite-HRNet: with the paper's channel weighting, or naive with plain shuffle units."""

    width: int
    modules: tuple[int, int, int] = (2, 4, 2)  # stages 0, 1, 2 with 2, 3, 4 streams
    blocks: int = 2
    weighting: bool = True
    stem: int = 32
    reduction: int = 8  # squeeze of the cross-resolution weights

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.width * 2**i for i in range(len(STRIDES)))


SPECS: dict[str, HRNetSpec | LiteHRNetSpec] = {
    **{f"w{width}": HRNetSpec(width) for width in (18, 30, 32, 40, 44, 48, 64)},
    # The classification repository's small models; the first has 16 channels despite its name.
    "w18_small_v1": HRNetSpec(16, 1, 32, (1, 1, 1), 2),
    "w18_small_v2": HRNetSpec(18, 2, 64, (1, 3, 2), 2),
    "lite18": LiteHRNetSpec(40),
    "lite30": LiteHRNetSpec(40, (3, 8, 3)),
    "naive_lite18": LiteHRNetSpec(30, weighting=False),
    "wider_naive_lite18": LiteHRNetSpec(40, weighting=False),
}
