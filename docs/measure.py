"""Count every network anew, into `hrnet_tf/presets/sizes.py`: `python docs/measure.py`.

It builds the networks of all presets and architectures, which takes minutes, and is needed after a
change of presets or networks. `python docs/generate.py` then writes the pages.
"""

from collections.abc import Callable
from pathlib import Path

import hrnet_tf
from hrnet_tf.networks.complexity import complexity
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.presets import PRESETS

SIZES_FILE = Path(__file__).parents[1] / "hrnet_tf" / "presets" / "sizes.py"
TEXT = '''\
"""Parameters and multiply-adds, counted from the graphs by `docs/measure.py`."""

# preset: (trainable parameters, multiply-adds of one image)
SIZES: dict[str, tuple[int, int]] = {{
{sizes}
}}

# architecture: the same of `pose` for 17 keypoints at 256x192, then of `classification` at 224x224
ARCHITECTURES: dict[str, tuple[tuple[int, int], tuple[int, int] | None]] = {{
{architectures}
}}
'''


def counter() -> Callable[..., tuple[int, int]]:
    """A function that builds each network once and gives its parameters and multiply-adds."""
    counted = {}

    def count(builder, **kwargs):
        key = (builder, *sorted(kwargs.items()))
        if key not in counted:
            found = complexity(builder(**kwargs))
            counted[key] = (found.parameters, found.multiply_adds)
        return counted[key]

    return count


def architecture(count: Callable[..., tuple[int, int]], name: str) -> tuple:
    """The entry of an architecture."""
    pose = count(hrnet_tf.pose, arch=name, input_shape=(256, 192, 3), num_keypoints=17)
    if not isinstance(hrnet_tf.SPECS[name], HRNetSpec):
        return pose, None
    return pose, count(hrnet_tf.classification, arch=name, input_shape=(224, 224, 3))


def main() -> None:
    """Write the file."""
    count = counter()
    sizes = {name: count(preset.builder, **preset.measured) for name, preset in PRESETS.items()}
    costs = {name: architecture(count, name) for name in hrnet_tf.SPECS}
    rows = (
        "\n".join(f'    "{name}": {each},' for name, each in table.items())
        for table in (sizes, costs)
    )
    SIZES_FILE.write_text(TEXT.format(sizes=next(rows), architectures=next(rows)), "utf-8")


if __name__ == "__main__":
    main()
