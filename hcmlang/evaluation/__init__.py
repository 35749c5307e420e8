"""How good predictions and their confidence are, and how certain a difference between arms is."""
