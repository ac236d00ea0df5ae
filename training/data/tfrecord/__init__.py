"""TFRecords of training data: shards with tables of contents, and a command that writes them."""
