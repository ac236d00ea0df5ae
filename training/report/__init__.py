"""Pages, curves and pictures of a run."""
