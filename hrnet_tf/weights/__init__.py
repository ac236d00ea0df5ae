"""From published files to the variables of a network: download, read, rename, check, assign."""
