"""`python -m hrnet_tf.training.data.synthetic --output=DIR --num_images=1000 --seed=0`."""

import sys

from absl import flags

from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.data.synthetic.shapes import write_shapes

KINDS = {"people": write_dataset, "shapes": write_shapes}


def main(argv: list[str] | None = None) -> int:
    """`python -m hrnet_tf.training.data.synthetic --output=DIR --num_images=1000 --seed=0`."""
    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "new folder for the drawings", flag_values=values)
    flags.DEFINE_integer("num_images", 1000, "how many", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "same seed, same drawings", flag_values=values)
    kinds = "people with keypoints and masks, or shapes in a folder each"
    flags.DEFINE_enum("kind", "people", list(KINDS), kinds, flag_values=values)
    flags.mark_flag_as_required("output", flag_values=values)
    try:
        values(sys.argv if argv is None else argv)
        print(KINDS[values.kind](values.output, values.num_images, values.seed))
    except (flags.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
