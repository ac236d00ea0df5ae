"""What was found about a converted file, as text and as numbers."""

import dataclasses
from collections.abc import Mapping

from hrnet_tf.convert.reports.differences import Difference
from hrnet_tf.convert.reports.latency import Delegated, Latency

MOST_LOST = 0.15  # mean difference in standard deviations: 15 dB of signal to noise


@dataclasses.dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        file: its name.
        precision: type of the numbers it computes with, see `op_list.precision`.
        megabytes: size in 10^6 bytes.
        operations: number of operations by name and version.
        problems: sentences of `lint`.
        latency: time for one example.
        delegated: operations that XNNPACK runs; None for ONNX.
        difference: from the source; None if there was nothing to compare with.
    """

    file: str
    precision: str
    megabytes: float
    operations: Mapping[str, int]
    problems: tuple[str, ...]
    latency: Latency
    delegated: Delegated | None
    difference: Difference | None

    def lines(self) -> list[str]:
        """All of it as text."""
        operations = ", ".join(f"{count} {name}" for name, count in self.operations.items())
        time = self.latency
        lines = [
            f"{self.file}: {self.precision}, {self.megabytes:.2f} MB",
            f"{sum(self.operations.values())} operations: {operations}",
            f"one image: {time.p50:.2f} ms (90 of 100 below {time.p90:.2f}) on {time.threads} "
            f"thread{'s' if time.threads > 1 else ''}, {time.calls} calls",
        ]
        if self.delegated:
            outside = ", ".join(f"{n} {name}" for name, n in self.delegated.outside.items())
            parts = self.delegated.parts
            lines.append(
                f"XNNPACK runs {self.delegated.operations} operations in {parts} "
                f"part{'s' if parts != 1 else ''}" + (f"; not {outside}" if outside else "")
            )
        if self.difference:
            lines.append(
                f"against the source on {self.difference.crops} crops: largest difference "
                f"{self.difference.maximum:.2g}, mean {self.difference.mean:.2g} standard "
                f"deviations, cosine {self.difference.cosine:.6f}"
            )
        return lines + [f"problem: {each}" for each in (*self.problems, self.far) if each]

    @property
    def far(self) -> str:
        """What is wrong with a float file that is not its source; empty if it is, or of integers.

        Float16 may be off by 20 times what float32 rounding may cause.
        """
        allowed = {"float32": 1, "float16": 20}.get(self.precision)
        if self.difference is None or allowed is None or self.difference.noise <= allowed:
            return ""
        return (
            f"{self.file} differs from its source by up to {self.difference.maximum:.2g} standard "
            "deviations, which rounding cannot explain"
        )

    @property
    def loss(self) -> str:
        """A warning if integers have lost more than `MOST_LOST`; empty otherwise."""
        if self.precision in ("float32", "float16") or self.difference is None:
            return ""
        if self.difference.mean <= MOST_LOST:
            return ""
        return (
            f"Warning: {self.file} has lost much: its outputs are off by "
            f"{self.difference.mean:.2g} standard deviations on average, more than {MOST_LOST}. "
            "Measure its accuracy, give "
            "real pictures by --calibration=FILE, or use float16, int16x8 or --qat."
        )
