"""The pattern miner: what is over-represented in the HCMs of a direction.

An HCM of a direction (gold, predicted) is compared with the rows that got the same prediction and deserved it: what
sets it apart is what the classifier overlooks. Each feature is measured by the log-odds ratio with an informative
Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words", equations 15, 19 and 22), over rows that have it;
its z-score gives a one-sided p-value, and over all features the false discovery rate is held (Benjamini and Hochberg
1995).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.spec.model import Characterize, MinerTeacher
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import CONTRASTS, Feature, features_of, negators_in, phrases_in, words_of
from hcmlang.teachers.statements import Statements

#: Weight of the prior, in rows: as much as this many rows like the whole pool.
_PRIOR_ROWS = 10.0
#: Findings that share this part of their evidence say the same; the stronger one stands for both.
_SAME_EVIDENCE = 0.8


@dataclass(frozen=True)
class Finding:
    """A feature that is over-represented in the HCMs of a direction."""

    feature: Feature
    rows: frozenset[int]
    """The HCMs that have it."""
    errors: int
    """HCMs of the direction."""
    others: int
    """Rows compared with that have it."""
    compared: int
    """Rows compared with."""
    log_odds: float
    z: float
    p: float
    q: float


class Miner:
    """See :class:`hcmlang.teachers.base.Teacher`."""

    def __init__(self, config: MinerTeacher, name: str) -> None:
        self._config = config
        self._name = name

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses, direction by direction, the clearest first; at most `per_group` for each group on average, so that
        a strong finding whose evidence is spread over many groups is not lost to weak ones."""
        lengths = _lengths(case.pool)
        features = [features_of(row, case.pool.fields, lengths) for row in case.pool.texts()]
        statements = Statements.load(Path(config.templates) if config.templates else None)
        directions: defaultdict[tuple[str, str], list[Group]] = defaultdict(list)
        for group in case.groups:
            directions[group.gold, group.predicted].append(group)
        hypotheses: list[Hypothesis] = []
        for (gold, predicted), groups in directions.items():
            errors = sorted(row for group in groups for row in group.rows)
            right = _rightly(case, predicted)
            found = distinct(self.findings(features, errors, right))
            for finding in found[: config.per_group * len(groups)]:
                identity = f"{self._name}-{len(hypotheses) + 1}"
                hypotheses.append(self._hypothesis(identity, finding, gold, predicted, groups, case.pool, statements))
        return hypotheses

    def findings(self, features: list[set[Feature]], errors: list[int], right: list[int]) -> list[Finding]:
        """The significant findings among the features of the rows `errors` against those of the rows `right`, the
        clearest first."""
        from scipy.stats import false_discovery_control, norm

        inside, outside = _counts(features, errors), _counts(features, right)
        everywhere = Counter(feature for row in features for feature in row)
        named = sorted(feature for feature in inside if inside[feature] >= self._config.min_evidence)
        if not named or not right:
            return []
        a = np.array([inside[f] for f in named], dtype=float)
        b = np.array([outside[f] for f in named], dtype=float)
        prior = _PRIOR_ROWS * np.array([everywhere[f] for f in named], dtype=float) / len(features)
        log_odds, z = log_odds_ratio(a, len(errors), b, len(right), prior, _PRIOR_ROWS)
        p = norm.sf(z)
        q = false_discovery_control(p)
        rows = {f: frozenset(row for row in errors if f in features[row]) for f in named}
        found = [
            Finding(f, rows[f], len(errors), int(b[i]), len(right), *map(float, (log_odds[i], z[i], p[i], q[i])))
            for i, f in enumerate(named)
            if q[i] <= self._config.significance and log_odds[i] > 0
        ]
        return sorted(found, key=lambda finding: (-finding.z, finding.feature))

    def _hypothesis(
        self,
        identity: str,
        finding: Finding,
        gold: str,
        predicted: str,
        groups: list[Group],
        pool: Table,
        statements: Statements,
    ) -> Hypothesis:
        triggers = _triggers(finding, pool)
        home = max(groups, key=lambda group: len(finding.rows & set(group.rows)))
        statement = statements.render(
            finding.feature.kind,
            name=finding.feature.name,
            field=finding.feature.field,
            triggers=list(triggers),
            gold=gold,
            predicted=predicted,
            hcms=len(finding.rows),
            of_hcms=finding.errors,
            others=finding.others,
            of_others=finding.compared,
        )
        return Hypothesis(
            id=identity,
            teacher=self._name,
            statement=statement,
            gold=gold,
            predicted=predicted,
            kind=finding.feature.kind,
            triggers=triggers,
            evidence=tuple(sorted(finding.rows)),
            group=home.id,
            statistics={
                "hcms": len(finding.rows),
                "of_hcms": finding.errors,
                "others": finding.others,
                "of_others": finding.compared,
                "log_odds": round(finding.log_odds, 4),
                "z": round(finding.z, 4),
                "p": finding.p,
                "q": finding.q,
            },
        )


def log_odds_ratio(
    a: np.ndarray, of_a: int, b: np.ndarray, of_b: int, prior: np.ndarray, of_prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds ratio of having a feature, with a Dirichlet prior, and its z-score.

    `a` of `of_a` rows have it in the one set, `b` of `of_b` in the other; `prior` of `of_prior` pseudo-rows. As here a row has
    a feature or has not, the complement is counted exactly and enters the variance (Monroe et al. leave it out, as a
    word is rare among all words; a feature may be common among rows).
    """
    has_a, not_a = a + prior, of_a - a + of_prior - prior
    has_b, not_b = b + prior, of_b - b + of_prior - prior
    tiny = 1e-9
    log_odds = np.log(has_a / np.maximum(not_a, tiny)) - np.log(has_b / np.maximum(not_b, tiny))
    variance = 1 / has_a + 1 / np.maximum(not_a, tiny) + 1 / has_b + 1 / np.maximum(not_b, tiny)
    return log_odds, log_odds / np.sqrt(variance)


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that tell something new: not the evidence of a clearer one over again."""
    kept: list[Finding] = []
    for finding in findings:
        if not any(_same_evidence(finding.rows, other.rows) for other in kept):
            kept.append(finding)
    return kept


def _same_evidence(rows: frozenset[int], stronger: frozenset[int]) -> bool:
    """Most of the evidence is known from a clearer finding already."""
    return len(rows & stronger) >= _SAME_EVIDENCE * len(rows)


def _rightly(case: Case, predicted: str) -> list[int]:
    """The pool rows that rightly got this prediction."""
    label = case.pool.labels.index(predicted)
    return np.flatnonzero((case.scores.argmax(axis=1) == label) & (case.pool.y == label)).tolist()


def _counts(features: list[set[Feature]], rows: Iterable[int]) -> Counter[Feature]:
    return Counter(feature for row in rows for feature in features[row])


def _lengths(pool: Table) -> tuple[float, float]:
    """The first and the last fifth of the pool's word counts."""
    counts = [sum(len(words_of(text)) for text in row) for row in pool.texts()]
    low, high = np.quantile(counts, [0.2, 0.8])
    return float(low), float(high)


def _triggers(finding: Finding, pool: Table) -> tuple[str, ...]:
    """The words that make a text fit the finding, as they occur, the most frequent first."""
    feature = finding.feature
    if feature.kind in ("word", "phrase"):
        return (feature.name,)
    if feature.kind not in ("negation", "contrast"):
        return ()
    seen: Counter[str] = Counter()
    for row in sorted(finding.rows):
        for field, text in zip(pool.fields, (column[row] for column in pool.columns), strict=True):
            if feature.field in ("", field):
                words = words_of(text)
                seen.update(negators_in(words) if feature.kind == "negation" else phrases_in(words, CONTRASTS))
    return tuple(sorted(seen, key=lambda word: (-seen[word], word)))
