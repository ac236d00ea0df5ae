"""Training and evaluation, installed as `hrnet_tf.training`."""
