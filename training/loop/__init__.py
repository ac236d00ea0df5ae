"""The parts of a run around the steps of `fit`, independent of the task."""
