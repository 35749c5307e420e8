"""People as teachers: the page on which they work, and what goes to crowdsourcing platforms and comes back."""
