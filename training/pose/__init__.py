"""How pose networks are trained and judged."""
