"""Files: what is written into them and beside them."""
