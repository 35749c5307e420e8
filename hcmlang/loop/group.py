"""Grouping the HCMs of each direction into candidate blind spots."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hcmlang.data.records import Group
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.progress import SILENT, Progress
from hcmlang.spec import model as spec
from hcmlang.teachers.association import log_odds_ratio
from hcmlang.teachers.features import words_of

_DIMENSIONS = 50
#: Rows of the pool whose words are counted at a time.
_BLOCK = 65_536
_TERMS = 5
#: Mistakes of a direction that HDBSCAN looks at, as its time is quadratic in them.
MOST = 20_000
#: How clearly a word must be more frequent in a group than in the rows it is compared with (z-score).
_CLEARLY = 2.0


def group_errors(
    pool: Table,
    scores: np.ndarray,
    rows: np.ndarray,
    config: spec.Group,
    *,
    embeddings: np.ndarray | None = None,
    seed: int,
    progress: Progress = SILENT,
) -> list[Group]:
    """Groups of HCMs that resemble each other, direction by direction; each HCM is in exactly one.

    `rows` are the HCMs, the most confident first; `embeddings`, one for each of these, take the place of TF-IDF
    where they are given. Within a direction the largest group comes first, the rows that fit no group last.
    """
    told = pool.y[rows], scores[rows].argmax(axis=1)
    everywhere = _everywhere(pool, scores, rows)
    groups: list[Group] = []
    directions = sorted({(int(gold), int(taken_for)) for gold, taken_for in zip(*told, strict=True)})
    for gold, taken_for in directions:
        which = np.flatnonzero((told[0] == gold) & (told[1] == taken_for))
        own = rows[which]
        vectors = embeddings[which] if embeddings is not None else _tfidf(pool.take(own).joined(), seed)
        names = (pool.labels[gold], pool.labels[taken_for])
        if config.method == "hdbscan" and len(own) > MOST:
            many = f"{len(own):,} HCMs of {names[0]} taken for {names[1]}"
            progress.note(
                f"{many}: groups are found in {MOST:,} of them, the others join the one that is most like them"
            )
        clusters = _clusters(vectors, config, seed)
        sizes = Counter(clusters.tolist())
        for number, cluster in enumerate(sorted(sizes, key=lambda c: (c == -1, -sizes[c], c)), start=1):
            members = own[clusters == cluster]
            terms = _telling_terms(pool, members, *everywhere[taken_for])
            outliers = cluster == -1 and len(sizes) > 1
            groups.append(_group(f"{names[0]}-as-{names[1]}-{number}", names, members, terms, outliers))
    return groups


def _tfidf(texts: Sequence[str], seed: int) -> np.ndarray:
    """TF-IDF of words and word pairs, reduced; one constant where all texts have the same words."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    words = [words_of(text) for text in texts]
    if len(set(map(tuple, words))) == 1:
        return np.zeros((len(texts), 1))
    matrix = TfidfVectorizer(analyzer=_one_and_two_grams, sublinear_tf=True).fit_transform(words)
    size = min(_DIMENSIONS, matrix.shape[0] - 1, matrix.shape[1] - 1)
    if size < 2:
        return np.zeros((len(texts), 1))
    return np.asarray(normalize(TruncatedSVD(size, random_state=seed % 2**32).fit_transform(matrix)))


def _one_and_two_grams(words: Sequence[str]) -> list[str]:
    return [*words, *map(" ".join, pairwise(words))]


def _clusters(vectors: np.ndarray, config: spec.Group, seed: int) -> np.ndarray:
    """A cluster number for each vector; -1 for outliers. Too few vectors to tell are one cluster. Of too many
    for HDBSCAN a sample is clustered, drawn at random, and each other vector is what the nearest one of the sample is."""
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.neighbors import KNeighborsClassifier

    one = np.zeros(len(vectors), dtype=np.int64)
    if config.method == "kmeans":
        if len(np.unique(vectors, axis=0)) < config.clusters:
            return one
        return np.asarray(KMeans(config.clusters, n_init=4, random_state=seed % 2**32).fit_predict(vectors))
    if len(vectors) <= config.min_size:
        return one
    hdbscan = HDBSCAN(min_cluster_size=config.min_size, min_samples=2, copy=True)
    if len(vectors) <= MOST:
        return np.asarray(hdbscan.fit_predict(vectors))
    sample = np.random.default_rng(derive_seed("cluster", seed)).choice(len(vectors), MOST, replace=False)
    found = hdbscan.fit_predict(vectors[sample])
    return np.asarray(KNeighborsClassifier(1, algorithm="brute").fit(vectors[sample], found).predict(vectors))


def _everywhere(pool: Table, scores: np.ndarray, rows: np.ndarray) -> dict[int, tuple[Counter[str], int]]:
    """For each label that some of the rows are taken for: in how many rows of the pool with that prediction each of their words
    occurs, and how many such rows there are. Other words are not counted: a large pool has millions."""
    asked = {word for text in pool.take(rows).joined() for word in words_of(text)}
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    sizes: Counter[int] = Counter()
    wanted = set(scores[rows].argmax(axis=1).tolist())
    begin = 0
    for block in pool.blocks(_BLOCK) if wanted else ():
        predicted = scores[begin : begin + len(block)].argmax(axis=1)
        begin += len(block)
        for taken_for, text in zip(predicted.tolist(), block.joined(), strict=True):
            if taken_for in wanted:
                sizes[taken_for] += 1
                counts[taken_for].update(asked.intersection(words_of(text)))
    return {taken_for: (counts[taken_for], sizes[taken_for]) for taken_for in wanted}


def _rows_with(pool: Table, rows: np.ndarray) -> Counter[str]:
    """In how many of the rows each word occurs."""
    return Counter(word for text in pool.take(rows).joined() for word in set(words_of(text)))


def _telling_terms(pool: Table, members: np.ndarray, everywhere: Counter[str], of_everywhere: int) -> tuple[str, ...]:
    """Words that are clearly more frequent in the members than in the other rows with the same prediction.

    `everywhere` counts the `of_everywhere` rows with that prediction, the members among them.
    """
    inside = _rows_with(pool, members)
    others = of_everywhere - len(members)
    words = sorted(word for word, count in inside.items() if count > 1)
    a = np.array([inside[word] for word in words], dtype=float)
    b = np.array([everywhere[word] for word in words], dtype=float) - a
    _, z = log_odds_ratio(a, len(members), b, others, np.full(len(words), 0.5), 1.0)
    lift = a / len(members) - b / max(1, others)
    telling = [i for i in range(len(words)) if z[i] >= _CLEARLY]
    return tuple(words[i] for i in sorted(telling, key=lambda i: (-lift[i], words[i]))[:_TERMS])


def _group(name: str, labels: tuple[str, str], members: np.ndarray, terms: tuple[str, ...], outliers: bool) -> Group:
    rows = f"{len(members)} {labels[0]} row{'s' if len(members) > 1 else ''}"
    summary = f"{rows} taken for {labels[1]}"
    if outliers:
        summary += ", unlike each other"
    if terms:
        summary += f"; telling words: {', '.join(terms)}"
    return Group(name, *labels, tuple(int(row) for row in members), terms, summary)
