"""`python -m hrnet_tf.training.data.tfrecord RECIPE --output=DIR`: see `training.pose.records`."""

import sys

from hrnet_tf.training.pose.records import main

if __name__ == "__main__":
    sys.exit(main())
