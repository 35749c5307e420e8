"""What a diagnostic calls a file of a pack that was fetched: by its pack, not by the folder where it lies for now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Source
from hcmlang.packs.cache import cache_folder


def named(diagnostics: Iterable[Diagnostic], folder: Path, reference: str) -> tuple[Diagnostic, ...]:
    """Diagnostics of a pack in `folder`, its files named by the `reference` to it: `shelf.zip#pack.yaml`."""
    lead = f"{reference}{'/' if '#' in reference else '#'}"

    def shown(text: str) -> str:
        return text.replace(f"{folder}/", lead).replace(str(folder), reference)

    return tuple(_with(one, shown) for one in diagnostics)


def of_cache(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics with files in the cache named by pack and version: `reviews@1.0.0/pack.yaml`."""
    cache = cache_folder()
    # A part that a reference named has its path with links followed.
    spelt = "|".join(re.escape(str(one)) for one in dict.fromkeys((cache, cache.resolve())))
    place = re.compile(rf"(?:{spelt})/packs/([a-z0-9-]+)/([^/\s]+)-[0-9a-f]{{16}}/")

    def shown(text: str) -> str:
        return place.sub(r"\1@\2/", text)

    return tuple(_with(one, shown) for one in diagnostics)


def _with(one: Diagnostic, shown: Callable[[str], str]) -> Diagnostic:
    """The diagnostic with the places in its words, and its own, as they are to be shown."""
    span = one.span
    if span is not None and (name := shown(span.source.name)) != span.source.name:
        span = replace(span, source=Source(name, span.source.text))
    return replace(one, message=shown(one.message), hint=shown(one.hint) if one.hint else one.hint, span=span)
