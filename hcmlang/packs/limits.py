"""How large a pack may be, wherever it comes from."""

#: The most that a pack may be: bytes in all, bytes of one file, files, folders within folders, characters of a name.
MAX_BYTES = 50_000_000
MAX_FILE = 20_000_000
MAX_FILES = 2_000
MAX_DEPTH = 12
MAX_NAME = 200
