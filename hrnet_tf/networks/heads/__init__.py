"""Heads: from the maps of the trunk to the output, one file for each kind of output."""
