"""How large a pack may be, wherever it comes from."""

#: The most that a pack may be: bytes in all, bytes of one file, files, folders within folders, characters of a name.
MAX_BYTES = 50_000_000
MAX_FILE = 20_000_000
MAX_FILES = 2_000
MAX_DEPTH = 12
MAX_NAME = 200
#: Bytes of its pack.yaml and of a file with the values of a test; tests of each kind, and texts of one.
MAX_YAML = 100_000
MAX_TESTS = 200
MAX_TEXTS = 1_000
