"""Engines whose calls go to a model elsewhere, through the journal and the budget of a run."""
