"""A network as plain nodes: read, rewritten, computed."""
