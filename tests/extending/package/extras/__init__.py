"""Kinds of parts for hcmlang, one module each."""
