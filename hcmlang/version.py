"""The version of hcmlang, for parts that must not know the whole."""

__version__ = "0.1.0"
