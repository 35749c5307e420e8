"""The tables of a report, as text and ready for any format: page, terminal, Markdown, LaTeX, notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hcmlang.evaluation.comparison import MATCHED
from hcmlang.evaluation.measures import Measure, at, mean_of, measures
from hcmlang.report.headline import number, p_value

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """The heading of a column, an explanation for those that need one, and the name of its measure, if it has one."""

    title: str
    note: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Cell:
    """A value; `under` stands below it in a page, and in brackets behind it elsewhere. `verdict` (`better` or `worse`) belongs
    to what stands below, or to the value itself."""

    text: str
    under: str = ""
    verdict: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.under})" if self.under else self.text


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first cell of a row is its name."""

    columns: list[Column]
    rows: list[list[Cell]]

    @classmethod
    def of(cls, titles: Sequence[str | Column], rows: Sequence[Sequence[str | Cell]]) -> Table:
        columns = [title if isinstance(title, Column) else Column(title) for title in titles]
        return cls(columns, [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows])

    def texts(self) -> list[list[str]]:
        """The headings, and then the rows."""
        return [[column.title for column in self.columns], *([str(cell) for cell in row] for row in self.rows)]


def markdown(table: Table) -> str:
    """A table in Markdown, numbers to the right."""
    header, *rows = table.texts()
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def ordered(metrics: Metrics, table: str = "arms") -> list[tuple[str, Measure]]:
    """The measures that a table shows, in the order of its columns: those that the run has and that are installed."""
    measured = metrics["sets"]["test"]["arms"]["none"]["mean"]
    chosen = [(name, kind) for name, kind in measures(measured).items() if kind.table == table]
    return sorted(chosen, key=lambda item: item[1].order)


def arms_table(metrics: Metrics, name: str) -> Table:
    """The results of every arm on one set, means over seeds, with a column for the difference at matched coverage."""
    table = measured(metrics, name, ordered(metrics))
    place = next(place for place, column in enumerate(table.columns) if column.measure == MATCHED) + 1
    rows = [[Cell(cell.text) for cell in row] for row in table.rows]
    for row, cells in zip(rows, table.rows, strict=True):
        row.insert(place, Cell(cells[place - 1].under))
    return Table([*table.columns[:place], Column("difference"), *table.columns[place:]], rows)


def measured(metrics: Metrics, name: str, kinds: Sequence[tuple[str, Measure]]) -> Table:
    """These measures of every arm on one set, means over seeds, with the differences from `none` under the values."""
    arms, tau = metrics["sets"][name]["arms"], str(metrics["confidence"])
    titles: list[str | Column] = ["arm"]
    rows: list[list[str | Cell]] = [[arm] for arm in arms]
    for key, kind in kinds:
        value = arms["none"]["mean"][key]
        note = kind.explanation + (f"; {kind.better} is better" if kind.better else "")
        if not isinstance(value, Mapping):
            titles.append(Column(kind.title, note, key))
            for row, entry in zip(rows, arms.values(), strict=True):
                found = entry.get("difference", {}).get(key)
                row.append(Cell(kind.shown(entry["mean"][key]), difference(found, kind), _verdict(found, kind)))
            continue
        for threshold in value if kind.every_threshold or tau not in value else (tau,):
            titles.append(Column(f"{kind.title} at {threshold}", note, key))
            for row, entry in zip(rows, arms.values(), strict=True):
                row.append(kind.shown(entry["mean"][key][threshold]))
    return Table.of(titles, rows)


def confidence_table(metrics: Metrics) -> Table:
    """What the confidence of each arm is worth on test, and how certain its difference at matched coverage is."""
    arms, tau = metrics["sets"]["test"]["arms"], metrics["confidence"]
    one_seed = len(metrics["seeds"]) == 1
    values = measured(metrics, "test", ordered(metrics, table="confidence"))
    titles: list[str | Column] = ["arm", *(["rows fixed / broken"] if one_seed else []), "p"]
    titles += [Column("p, all arms", "adjusted for the number of arms by Holm's method"), *values.columns[1:]]
    with_scaling = "scaled" in arms["none"]["mean"]
    if with_scaling:
        titles += ["temperature", f"HCMs at {tau}, scaled", "coverage, scaled"]
    rows: list[list[str | Cell]] = []
    for (arm, entry), cells in zip(arms.items(), values.rows, strict=True):
        test = entry.get("difference", {}).get(MATCHED, {})
        changed = [f"{test['fixed']} / {test['broken']}" if "fixed" in test else ""] if one_seed else []
        row: list[str | Cell] = [arm, *changed, p_value(test.get("p")), p_value(test.get("p_holm")), *cells[1:]]
        if with_scaling:
            scaled = entry["mean"]["scaled"]
            hcms, coverage = scaled["hcms"][str(tau)], scaled["coverage"][str(tau)]
            row += [f"{scaled['temperature']:.2f}", f"{hcms:.1f}", f"{coverage:.3f}"]
        rows.append(row)
    return Table.of(titles, rows)


def controls_table(metrics: Metrics) -> Table:
    """The difference on test between each arm with a teacher and each control that it is compared with."""
    kinds = measures()
    rows: list[list[str | Cell]] = []
    for arm, entry in metrics["sets"]["test"]["arms"].items():
        for control, found in entry.get("against", {}).items():
            matched = found[MATCHED]
            cell = Cell(difference(matched, kinds[MATCHED]), verdict=_verdict(matched, kinds[MATCHED]))
            accuracy = difference(found["accuracy"], kinds["accuracy"])
            rows.append([f"{arm} - {control}", cell, p_value(matched["p"]), accuracy])
    return Table.of(["arms", "HCMs at matched coverage", "p", "accuracy"], rows)


def groups_table(metrics: Metrics) -> Table:
    """HCMs at the coverage of `none` in each group of test rows, and accuracy; no rows where the data has no groups."""
    groups = [entry["mean"].get("groups", []) for entry in metrics["sets"]["test"]["arms"].values()]
    rows = [
        [of_arms[0]["group"], f"{of_arms[0]['rows']:,}"]
        + [Cell(f"{group[MATCHED]:.1f}", f"{group['accuracy']:.3f}") for group in of_arms]
        for of_arms in zip(*groups, strict=True)
    ]
    return Table.of(["group", "rows", *metrics["arms"]], rows)


def rounds_table(metrics: Metrics) -> Table:
    """Each round of each arm, means over seeds."""
    before_after = (
        "HCMs at matched coverage before and after the round, in the part of the pool that the next round searches"
    )
    titles: list[str | Column] = [
        "arm, round",
        "HCMs in its part",
        "hypotheses",
        "instances added",
        Column("in the fresh part", before_after),
    ]
    titles += ["of them HCMs at the end", Column("came back", "repaired by their round, and HCMs again at the end")]
    rows: list[list[str | Cell]] = []
    for arm, entries in metrics["rounds"].items():
        for entry in entries:
            gains = [seed["gain"] for seed in entry["seeds"]]
            mean = mean_of([{k: v for k, v in seed.items() if k not in ("gain", "stopped")} for seed in entry["seeds"]])
            stopped, seeds = sum(seed["stopped"] for seed in entry["seeds"]), len(entry["seeds"])
            note = "" if not stopped else "stopped" if stopped == seeds else f"stopped in {stopped} of {seeds}"
            gain = mean_of(gains) if None not in gains else None
            rows.append(
                [
                    f"{arm}, {entry['round']}",
                    Cell(f"{mean['hcms']:.1f}", note),
                    *(f"{mean[key]:.1f}" for key in ("hypotheses", "instances")),
                    f"{gain['before']:.1f} to {gain['after']:.1f}" if gain else "",
                    *(f"{mean[key]:.1f}" for key in ("hcms_now", "hcms_back")),
                    f"{mean['test'][MATCHED]:.1f}",
                    f"{mean['test']['accuracy']:.3f}",
                ]
            )
    return Table.of([*titles, "test HCMs at matched coverage", "accuracy"], rows)


def instances_table(metrics: Metrics) -> Table:
    """How many instances each arm added, and how many were dropped for each reason, means over seeds."""
    arms = metrics["instances"]
    reasons = sorted({reason for entries in arms.values() for entry in entries for reason in entry["dropped"]})

    def row(name: str, counts: Sequence[Sequence[int]]) -> list[str]:
        return [name, *(number(round(sum(seeds) / len(seeds), 1)) for seeds in counts)]

    rows = [row("added to the train rows", [[entry["kept"] for entry in entries] for entries in arms.values()])]
    for reason in reasons:
        counts = [[entry["dropped"].get(reason, 0) for entry in entries] for entries in arms.values()]
        rows.append(row(f"dropped: {reason}", counts))
    return Table.of(["instances", *arms], rows)


def costs_table(costs: Sequence[Mapping[str, Any]]) -> Table:
    """What each arm cost (:func:`hcmlang.report.costs.costs`)."""
    titles = ["arm", "calls or answers", "given up", "tokens", "hours of people", "US dollars"]
    rows = [
        [
            cost["arm"],
            *(f"{cost[key]:,}" for key in ("calls", "given_up", "tokens")),
            f"{cost['hours']:.2f}" if cost["hours"] else "",
            f"{cost['usd']:.4f}",
            "none kept" if cost["per_instance"] is None else f"{cost['per_instance']:.5f}",
            "none removed" if cost["per_hcm"] is None else f"{cost['per_hcm']:.4f}",
        ]
        for cost in costs
    ]
    return Table.of([*titles, "per instance kept", "per HCM removed"], rows)


def difference(found: Mapping[str, Any] | None, kind: Measure) -> str:
    """A difference with its 95% interval, as text; empty where there is none, as for the baseline."""
    if found is None:
        return ""
    if found["low"] is None:
        return f"{found['mean']:+.{kind.digits}f} (no interval)"
    mean, low, high = (f"{found[end]:+.{kind.digits}f}" for end in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _verdict(found: Mapping[str, Any] | None, kind: Measure) -> str:
    """`better` or `worse` where the interval of the difference excludes zero."""
    if found is None or found["low"] is None or found["low"] <= 0 <= found["high"]:
        return ""
    return "better" if (found["low"] > 0) == (kind.better == "higher") else "worse"


def narrow_lines(metrics: Metrics) -> list[dict[str, Any]]:
    """Every arm on test with the few measures that narrow tables have (at `detect.confidence`, means over seeds), and its
    `difference` at matched coverage."""
    kinds, lines = [(name, kind) for name, kind in ordered(metrics) if kind.short], []
    for arm, entry in metrics["sets"]["test"]["arms"].items():
        values = {name: at(entry["mean"][name], metrics["confidence"]) for name, _ in kinds}
        lines.append({"arm": arm, **values, "difference": entry.get("difference", {}).get(MATCHED)})
    return lines


def narrow_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Such lines as a table, with the difference at matched coverage and its p-value, adjusted for the number of arms."""
    kinds = sorted(measures(lines[0]).items(), key=lambda item: item[1].order)
    titles: list[str | Column] = ["arm"]
    rows: list[list[str | Cell]] = [[line["arm"]] for line in lines]
    for name, kind in kinds:
        titles += [Column(kind.short, kind.explanation, name)]
        titles += ["difference (95%)", "p"] if name == MATCHED else []
        for row, line in zip(rows, lines, strict=True):
            row.append(kind.shown(line[name]))
            if name == MATCHED:
                found = line["difference"]
                row += [difference(found, kind), p_value(found["p_holm"]) if found else ""]
    return Table.of(titles, rows)


def dropped_in_words(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items())
