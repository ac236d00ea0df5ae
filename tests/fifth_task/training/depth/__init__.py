"""How depth networks are trained and judged."""
