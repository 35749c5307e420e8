"""Group the HCMs of each direction into candidate blind spots."""

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
#: HDBSCAN takes quadratic time, so it clusters at most so many mistakes of a direction.
MOST = 20_000
#: The least z-score of a word that is more frequent in a group than elsewhere.
_LEAST_Z = 2.0


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
    """Groups of HCMs that resemble each other, direction by direction. Each HCM is in exactly one group.

    `rows` are the HCMs, the most confident first; `embeddings`, one for each HCM, replace TF-IDF. Within a direction the
    largest group comes first, and rows that fit no group come last.
    """
    actual, predicted = pool.y[rows], scores[rows].argmax(axis=1)
    everywhere = _everywhere(pool, scores, rows)
    groups: list[Group] = []
    directions = sorted({(int(gold), int(taken_for)) for gold, taken_for in zip(actual, predicted, strict=True)})
    for gold, taken_for in directions:
        which = np.flatnonzero((actual == gold) & (predicted == taken_for))
        own = rows[which]
        vectors = embeddings[which] if embeddings is not None else _tfidf(pool.take(own).joined(), seed)
        names = (pool.labels[gold], pool.labels[taken_for])
        if config.method == "hdbscan" and len(own) > MOST:
            many = f"{len(own):,} HCMs of {names[0]} taken for {names[1]}"
            progress.note(f"{many}: {MOST:,} of them are clustered, and the others join the nearest group")
        clusters = _clusters(vectors, config, seed)
        sizes = Counter(clusters.tolist())
        for number, cluster in enumerate(sorted(sizes, key=lambda c: (c == -1, -sizes[c], c)), start=1):
            members = own[clusters == cluster]
            terms = _telling_terms(pool, members, *everywhere[taken_for])
            outliers = cluster == -1 and len(sizes) > 1
            groups.append(_group(f"{names[0]}-as-{names[1]}-{number}", names, members, terms, outliers))
    return groups


def _tfidf(texts: Sequence[str], seed: int) -> np.ndarray:
    """TF-IDF of words and word pairs, reduced by truncated SVD; constant if all texts have the same words."""
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
    """A cluster number for each vector; -1 for outliers. Too few vectors are one cluster. Of too many for HDBSCAN, a random
    sample is clustered, and each other vector joins the cluster of its nearest neighbour in the sample."""
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
    """For each label that some of the rows are taken for: how many rows of the pool with that prediction have each word, and
    how many such rows there are. Only words of `rows` are counted, as a large pool has millions of words."""
    known = {word for text in pool.take(rows).joined() for word in words_of(text)}
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
                counts[taken_for].update(known.intersection(words_of(text)))
    return {taken_for: (counts[taken_for], sizes[taken_for]) for taken_for in wanted}


def _rows_with(pool: Table, rows: np.ndarray) -> Counter[str]:
    """How many of the rows have each word."""
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
    telling = [i for i in range(len(words)) if z[i] >= _LEAST_Z]
    return tuple(words[i] for i in sorted(telling, key=lambda i: (-lift[i], words[i]))[:_TERMS])


def _group(name: str, labels: tuple[str, str], members: np.ndarray, terms: tuple[str, ...], outliers: bool) -> Group:
    rows = f"{len(members)} {labels[0]} row{'s' if len(members) > 1 else ''}"
    summary = f"{rows} taken for {labels[1]}"
    if outliers:
        summary += ", unlike each other"
    if terms:
        summary += f"; telling words: {', '.join(terms)}"
    return Group(name, *labels, tuple(int(row) for row in members), terms, summary)
