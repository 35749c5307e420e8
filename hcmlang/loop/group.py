"""Grouping the HCMs of each direction into candidate blind spots."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hcmlang.data.records import Group
from hcmlang.data.table import Table
from hcmlang.spec import model as spec

_DIMENSIONS = 50
_TERMS = 5
_WORD = re.compile(r"\w+(?:['’]\w+)?|['’]\w+")


def group_errors(
    pool: Table,
    scores: np.ndarray,
    rows: np.ndarray,
    config: spec.Group,
    *,
    embeddings: np.ndarray | None = None,
    seed: int,
) -> list[Group]:
    """Groups of HCMs that resemble each other, direction by direction; each HCM is in exactly one.

    `rows` are the HCMs, the most confident first; `embeddings` (pool rows, dimensions) take the place of TF-IDF where
    they are given. Within a direction the largest group comes first, the rows that fit no group last.
    """
    predicted = scores.argmax(axis=1)
    groups: list[Group] = []
    directions = sorted({(int(pool.y[row]), int(predicted[row])) for row in rows})
    for gold, taken_for in directions:
        own = np.asarray([row for row in rows if pool.y[row] == gold and predicted[row] == taken_for])
        vectors = embeddings[own] if embeddings is not None else _tfidf(pool.take(own).joined(), seed)
        clusters = _clusters(vectors, config, seed)
        names = (pool.labels[gold], pool.labels[taken_for])
        sizes = Counter(clusters.tolist())
        for number, cluster in enumerate(sorted(sizes, key=lambda c: (c == -1, -sizes[c], c)), start=1):
            members = own[clusters == cluster]
            terms = _telling_terms(pool, members, np.flatnonzero(predicted == taken_for))
            outliers = cluster == -1 and len(sizes) > 1
            groups.append(_group(f"{names[0]}-as-{names[1]}-{number}", names, members, terms, outliers))
    return groups


def _tfidf(texts: Sequence[str], seed: int) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    matrix = TfidfVectorizer(token_pattern=_WORD.pattern, ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    size = min(_DIMENSIONS, matrix.shape[0] - 1, matrix.shape[1] - 1)
    if size < 2:
        return np.zeros((len(texts), 1))
    return np.asarray(normalize(TruncatedSVD(size, random_state=seed % 2**32).fit_transform(matrix)))


def _clusters(vectors: np.ndarray, config: spec.Group, seed: int) -> np.ndarray:
    """A cluster number for each vector; -1 for outliers."""
    from sklearn.cluster import HDBSCAN, KMeans

    if config.method == "kmeans":
        count = min(config.clusters, len(np.unique(vectors, axis=0)))
        return np.asarray(KMeans(count, n_init=4, random_state=seed % 2**32).fit_predict(vectors))
    if len(vectors) <= config.min_size:
        return np.zeros(len(vectors), dtype=int)
    return np.asarray(HDBSCAN(min_cluster_size=config.min_size, min_samples=2, copy=True).fit_predict(vectors))


def _telling_terms(pool: Table, members: np.ndarray, compared: np.ndarray) -> tuple[str, ...]:
    """Words that more of the members have than of the other rows with the same prediction."""

    def rows_with(rows: np.ndarray) -> Counter[str]:
        return Counter(word for text in pool.take(rows).joined() for word in set(_WORD.findall(text.lower())))

    others = np.setdiff1d(compared, members)
    inside, outside = rows_with(members), rows_with(others)

    def lift(word: str) -> float:
        return inside[word] / len(members) - outside[word] / max(1, len(others))

    telling = [word for word in inside if inside[word] > 1 and lift(word) > 0.1]
    return tuple(sorted(telling, key=lambda word: (-lift(word), word))[:_TERMS])


def _group(name: str, labels: tuple[str, str], members: np.ndarray, terms: tuple[str, ...], outliers: bool) -> Group:
    rows = f"{len(members)} {labels[0]} row{'s' if len(members) > 1 else ''}"
    summary = f"{rows} taken for {labels[1]}"
    if outliers:
        summary += ", unlike each other"
    if terms:
        summary += f"; telling words: {', '.join(terms)}"
    return Group(name, *labels, tuple(int(row) for row in members), terms, summary)
