"""From float graphs to integers: ranges, equalizing, rounding, simulation, training."""
