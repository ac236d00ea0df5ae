"""Networks into files for phones and other runtimes, installed as `hrnet_tf.convert`."""
