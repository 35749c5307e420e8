"""Annotation: tasks, answers, and the assignment of tasks to people."""
