"""Training data as TFRecords: the pixels that training may show of each item, ready to be cropped.

    python -m hrnet_tf.training.data.tfrecord RECIPE --output=DIR --shards=64

    hrnet-tf train RECIPE --train_records='DIR/*.tfrecord' --workdir=runs/a

Their batches are those of the image files, to the bit: the same order, the same draws, the same
pixels. They are stored raw, since decoding takes most of the time of a pipeline and a second JPEG
would change them: about 0.3 MB a person for COCO. `--field=value` replaces any field of the recipe;
its padding, shape of the crop, scale, rotation and half-body decide how much of an image is kept,
so the records serve every recipe that shows no more.

DIR, a folder or an address that `tf.io.gfile` understands, receives for each shard
`people-00003-of-00064.tfrecord` and its table of contents `.npz`, without which records could not
be shuffled. A shard appears whole, its table last; what an interrupted command left out, the same
command writes. `hrnet_tf.training.pose.records` says what a record of a person holds.
"""

import sys

from absl import flags

from hrnet_tf.training.overrides import define_flags, resolve
from hrnet_tf.training.task import training_named


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m hrnet_tf.training.data.tfrecord RECIPE --output=DIR --shards=64`."""
    values = flags.FlagValues()
    flags.DEFINE_string("output", None, "folder for the records", flag_values=values)
    flags.DEFINE_integer("shards", 64, "number of files", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace other records there", flag_values=values)
    define_flags(values)
    values.set_gnu_getopt(True)
    argv = sys.argv if argv is None else argv
    if "--help" in argv:
        print(__doc__, values.get_help(), sep="\n")
        return 0
    try:
        recipe = resolve(values, values(argv)[1:])
        if not values.output:
            raise flags.Error("name the folder for the records: --output=DIR.")
        training = training_named(recipe.task)
        recipe = training.settle(recipe)
        count, paths = training.write_records(
            recipe, values.output, values.shards, values.overwrite
        )
    except (flags.Error, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} {training.counted} in {len(paths)} shards: {values.output}/*.tfrecord")
    return 0


if __name__ == "__main__":
    sys.exit(main())
