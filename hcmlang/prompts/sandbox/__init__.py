"""Rendering templates of strangers: a restricted Jinja2 environment, in a process with limits on memory and processor time."""

#: The exit status of a worker that runs out of memory.
OUT_OF_MEMORY = 40
