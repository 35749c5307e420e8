"""Content keys and derived seeds: the same input always gives the same name and the same random stream."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def content_key(value: Any) -> str:
    """A 32-digit hexadecimal key of a JSON-able value; the order of mapping keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over the relative names and contents of all files in a folder, in hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{file_digest(path)}\n".encode())
    return total.hexdigest()


def derive_seed(*parts: Any) -> int:
    """A 63-bit seed from any JSON-able parts, so that every consumer of randomness has a stream of its own."""
    return int(content_key(parts)[:16], 16) >> 1
