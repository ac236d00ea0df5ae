"""One page for each published training, by task."""
