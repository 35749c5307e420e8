"""Compiled rules in the languages that engines understand; docs/language.md says which keeps what."""
