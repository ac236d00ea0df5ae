"""How classification networks are trained and judged."""
