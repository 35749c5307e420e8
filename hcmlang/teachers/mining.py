"""The pattern miner: what is over-represented in the HCMs of a direction.

The HCMs of a direction (gold, predicted) are compared with the rows that rightly got the same prediction: the difference is
what the classifier overlooks. For each feature, the log-odds ratio with an informative prior measures how clear a finding is
(its z-score ranks findings), an exact test measures how likely it is by chance, and the false discovery rate is controlled
over all features. A finding that a clearer one explains is dropped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.spec.model import Characterize
from hcmlang.teachers.association import Strata, adjusted_p, exact_p, log_odds_ratio
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import Described, Feature, contrasts_in, describe, negators_in, words_of
from hcmlang.teachers.miner import MinerTeacher
from hcmlang.teachers.statements import Statements

#: Weight of the prior: this many rows like the whole pool.
_PRIOR_ROWS = 10.0
#: The prior is at least half a row (Jeffreys), so that a feature that no right row has is a clear finding.
_LEAST_PRIOR = 0.5
_TELLING = ("negation", "contrast", "overlap", "word", "phrase", "length")
_GENERALITY = ("planned", "n-gram", "length")
#: Findings that share this part of their evidence say the same; the earlier one is kept.
_SAME_EVIDENCE = 0.8


@dataclass(frozen=True)
class Finding:
    """A feature that is over-represented in the HCMs of a direction."""

    feature: Feature
    rows: frozenset[int]
    """The HCMs with the feature."""
    errors: int
    """HCMs of the direction."""
    others: int
    """Compared rows with the feature."""
    compared: int
    """Compared rows."""
    log_odds: float
    z: float
    p: float
    q: float
    """The p-value adjusted for all tested features."""

    @property
    def statistics(self) -> dict[str, float]:
        return {
            "hcms": len(self.rows),
            "of_hcms": self.errors,
            "rate": round(len(self.rows) / self.errors, 4),
            "others": self.others,
            "of_others": self.compared,
            "other_rate": round(self.others / self.compared, 4),
            "log_odds": round(self.log_odds, 4),
            "z": round(self.z, 4),
            "p": self.p,
            "q": self.q,
        }


class Miner:
    """See :class:`hcmlang.teachers.base.Teacher`."""

    def __init__(self, config: MinerTeacher, name: str) -> None:
        self._config = config
        self._name = name

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses by direction, the clearest first, at most `per_group` for each group; none if nothing is significant.
        Raises :class:`DiagnosticError` if the user's templates fail."""
        statements = Statements.load(Path(config.templates) if config.templates else None)
        directions: defaultdict[tuple[str, str], list[Group]] = defaultdict(list)
        for group in case.groups:
            directions[group.gold, group.predicted].append(group)
        if not directions:
            return []
        described = describe(case.pool)
        hypotheses: list[Hypothesis] = []
        for (gold, predicted), groups in directions.items():
            errors = np.array(sorted(row for group in groups for row in group.rows))
            findings = self.findings(described, errors, case.rightly_predicted(predicted))
            for finding, home in housed(findings, groups, config.per_group):
                triggers = _triggers(finding, case.pool)
                hypotheses.append(
                    Hypothesis(
                        id=f"{self._name}-{len(hypotheses) + 1}",
                        teacher=self._name,
                        statement=_statement(statements, finding, triggers, home, described.lengths),
                        gold=gold,
                        predicted=predicted,
                        kind=finding.feature.kind,
                        triggers=triggers,
                        evidence=tuple(sorted(finding.rows)),
                        group=home.id,
                        statistics=finding.statistics,
                    )
                )
        return hypotheses

    def findings(self, described: Described, errors: np.ndarray, right: np.ndarray) -> list[Finding]:
        """What is significantly more frequent in the rows `errors` than in the rows `right` (row numbers), the clearest
        first, without what a clearer finding explains."""
        if not len(errors) or not len(right):
            return []
        inside = np.asarray(described.has[errors].sum(axis=0)).ravel()
        outside = np.asarray(described.has[right].sum(axis=0)).ravel()
        # Features may be selected by how often they occur, but not by where: selecting by counts in the errors would turn
        # chance into findings.
        tested = np.flatnonzero(inside + outside >= self._config.min_evidence)
        a, b = inside[tested], outside[tested]
        share = np.asarray(described.has.sum(axis=0)).ravel()[tested] / described.has.shape[0]
        prior = np.clip(_PRIOR_ROWS * share, _LEAST_PRIOR, _PRIOR_ROWS - _LEAST_PRIOR)
        log_odds, z = log_odds_ratio(a, len(errors), b, len(right), prior, _PRIOR_ROWS)
        p = exact_p(a, len(errors), b, len(right))
        q = adjusted_p(p, np.array([not described.features[i].lexical for i in tested], dtype=bool))
        is_error = np.zeros(described.has.shape[0], dtype=bool)
        is_error[errors] = True
        clear = np.flatnonzero((q <= self._config.significance) & (a >= self._config.min_evidence))
        findings = [
            Finding(
                described.features[tested[i]],
                frozenset(rows[is_error[rows]].tolist()),
                len(errors),
                int(b[i]),
                len(right),
                *map(float, (log_odds[i], z[i], p[i], q[i])),
            )
            for i, rows in zip(clear, map(described.rows, tested[clear]), strict=True)
        ]
        # Features that are tested in any data explain n-grams, not the other way round. Length comes last, however clear: it
        # follows from the words of a blind spot and explains none of them.
        findings.sort(key=lambda finding: (_GENERALITY.index(_family(finding.feature)), *_clearness(finding)))
        return sorted(self._unexplained(distinct(findings), described, errors, right), key=_clearness)

    def _unexplained(
        self, findings: list[Finding], described: Described, errors: np.ndarray, right: np.ndarray
    ) -> list[Finding]:
        """Findings that are still significant among rows that agree in all other kept findings: `very bad` adds nothing to
        `bad`, nor `although` to contrasts in general, nor these to `although` if no other contrast matters."""
        from scipy.stats import norm

        rows = np.concatenate([errors, right])
        in_errors = np.arange(len(rows)) < len(errors)
        place = np.full(described.has.shape[0], -1)
        place[rows] = np.arange(len(rows))
        number = {feature: i for i, feature in enumerate(described.features)}

        def having(finding: Finding) -> np.ndarray:
            places = place[described.rows(number[finding.feature])]
            return np.asarray(places[places >= 0])

        def strata(marks: np.ndarray) -> Strata:
            return Strata(np.unique(marks, return_inverse=True)[1], in_errors)

        def adds(finding: Finding, beside: Strata) -> bool:
            return bool(norm.sf(beside.z(having(finding))) <= self._config.significance)

        # Rows that agree in all kept findings have the same mark: the exclusive or of a random number for each of their
        # findings. (Two other rows have the same mark with a probability of 2^-64.)
        random = np.random.default_rng(0)
        marks = np.zeros(len(rows), dtype=np.uint64)
        kept: dict[Finding, np.uint64] = {}
        beside = strata(marks)
        for finding in findings:
            if not kept or adds(finding, beside):
                kept[finding] = random.integers(2**64, dtype=np.uint64)
                marks[having(finding)] ^= kept[finding]
                beside = strata(marks)
        for finding, own in list(kept.items()):
            marks[having(finding)] ^= own
            if len(kept) == 1 or adds(finding, strata(marks)):
                marks[having(finding)] ^= own
            else:
                del kept[finding]
        return list(kept)


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without those that repeat the evidence of an earlier one."""
    kept: list[Finding] = []
    having: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        # A finding that shares enough of all rows shares at least one row of any subset of this size.
        some = islice(finding.rows, len(finding.rows) - ceil(_SAME_EVIDENCE * len(finding.rows)) + 1)
        if not any(_same_evidence(finding.rows, other.rows) for row in some for other in having[row]):
            kept.append(finding)
            for row in finding.rows:
                having[row].append(finding)
    return kept


def _family(feature: Feature) -> str:
    return "n-gram" if feature.lexical else "length" if feature.kind == "length" else "planned"


def _clearness(finding: Finding) -> tuple[float, int, Feature]:
    """A sort key: the clearest finding first; ties by how informative the feature is to people."""
    return -round(finding.z, 9), _TELLING.index(finding.feature.kind), finding.feature


def housed(findings: list[Finding], groups: list[Group], per_group: int) -> list[tuple[Finding, Group]]:
    """Each finding with the group of most of its evidence, or the next group if that one has `per_group` clearer findings
    already, so that a crowded group does not lose findings."""
    room = {group.id: per_group for group in groups}
    result: list[tuple[Finding, Group]] = []
    for finding in findings:
        shares = [(len(finding.rows.intersection(group.rows)), group) for group in groups if room[group.id]]
        share, home = max(shares, key=lambda pair: pair[0], default=(0, groups[0]))
        if share:
            room[home.id] -= 1
            result.append((finding, home))
    return result


def _same_evidence(rows: frozenset[int], earlier: frozenset[int]) -> bool:
    shared = len(rows & earlier)
    return shared >= _SAME_EVIDENCE * (len(rows) + len(earlier) - shared)


def _statement(
    statements: Statements, finding: Finding, triggers: tuple[str, ...], home: Group, lengths: tuple[int, int]
) -> str:
    return statements.render(
        finding.feature.kind,
        name=finding.feature.name,
        field=finding.feature.field,
        words=lengths[0] if finding.feature.name == "short" else lengths[1],
        triggers=list(triggers),
        gold=home.gold,
        predicted=home.predicted,
        hcms=len(finding.rows),
        of_hcms=finding.errors,
        others=finding.others,
        of_others=finding.compared,
    )


def _triggers(finding: Finding, pool: Table) -> tuple[str, ...]:
    """The words that make a text fit the finding, the most frequent first."""
    feature = finding.feature
    if feature.lexical:
        return (feature.name,)
    if feature.kind not in ("negation", "contrast"):
        return ()
    columns = [column for name, column in zip(pool.fields, pool.columns, strict=True) if feature.field in ("", name)]
    texts = [column[row] for row in sorted(finding.rows) for column in columns]
    is_negation = feature.kind == "negation"
    seen = Counter(m for text in texts for m in (negators_in(words_of(text)) if is_negation else contrasts_in(text)))
    return tuple(sorted(seen, key=lambda word: (-seen[word], word)))
