"""How the numbers of a graph become integers."""
