"""The work of people: tasks, answers, and who gets which task."""
