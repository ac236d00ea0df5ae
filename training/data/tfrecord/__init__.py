"""TFRecords of training data: shards with tables of contents, and the command that writes them."""
