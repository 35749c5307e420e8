"""How good predictions and their confidence are, and how sure one can be of a difference. Knows arrays, not experiments."""
