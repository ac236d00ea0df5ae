"""HTML pages, curves and TensorBoard pictures of runs."""
