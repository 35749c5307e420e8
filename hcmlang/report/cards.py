"""Cards for the data and the model of a run, in the layout of the Hugging Face hub: YAML front matter, then Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from hcmlang.evaluation.results import Results
from hcmlang.files import write_text
from hcmlang.report.headline import headline, seeds_in_words
from hcmlang.report.tables import arms_table, markdown
from hcmlang.spec.model import Spec

DATA_CARD = "augmented.card.md"
MODEL_CARD = "model/README.md"


def write_cards(spec: Spec, results: Results) -> None:
    """Write the card of augmented.parquet, and the model's README."""
    write_text(results.folder / DATA_CARD, data_card(spec, results))
    write_text(results.folder / MODEL_CARD, model_card(spec, results))


def data_card(spec: Spec, results: Results) -> str:
    """The card of the kept instances."""
    rows = results.augmented.select(["teacher" if "teacher" not in spec.task.text else "teacher_"])
    by = Counter(rows.column(0).to_pylist())
    data_rows, generic = by.pop(None, 0), by.pop("generic", 0)
    origin = [f"{by.total():,} were written for hypotheses about the confident mistakes of a classifier"] if by else []
    origin += [f"{generic:,} were written by the same teacher without hypotheses, as a control"] if generic else []
    origin += [f"{data_rows:,} are rows of the data with their gold labels"] if data_rows else []
    front = {
        "pretty_name": f"{spec.name}: instances for blind spots",
        "task_categories": ["text-classification"],
        "tags": ["synthetic", "hcmlang"] if by or generic else ["hcmlang"],
        "configs": [{"config_name": "default", "data_files": "augmented.parquet"}],
    }
    first = [h for h in results.hypotheses if h["seed"] == results.metrics["seeds"][0]]
    hypotheses = "\n".join(f"- `{h['id']}` ({h['arm']}): {h['statement']} {h['kept']} instances." for h in first)
    body = f"""# {spec.name}: instances for blind spots

{results.augmented.num_rows:,} labelled texts, all arms and seeds together: {"; ".join(origin) or "none"}.
Nobody checked the labels of generated texts. No text repeats or nearly repeats a test or challenge row.

Columns: {", ".join(f"`{name}`" for name in results.augmented.column_names)}. `guarantees` lists each constraint of
the program, and whether it holds by construction or was checked.

## Hypotheses (seed {results.metrics["seeds"][0]})

{hypotheses or "None."}
"""
    return _card(front, body)


def model_card(spec: Spec, results: Results) -> str:
    """The card of the model in `model/`."""
    metrics = results.metrics
    arm = metrics["summary"]["arm"] or "none"
    front: dict[str, Any] = {"pipeline_tag": "text-classification", "tags": ["hcmlang"]}
    if spec.classifier.library_name is not None:
        front["library_name"] = spec.classifier.library_name
    if spec.classifier.base_model is not None:
        front["base_model"] = spec.classifier.base_model
    labels = ", ".join(f"`{label}`" for label in spec.task.labels)
    body = f"""# {spec.name}, arm `{arm}`

{headline(metrics)}

Labels: {labels}. This is the model of seed {spec.seeds[0]} and arm `{arm}`. It was not
selected by its results.

## Evaluation on {metrics["sets"]["test"]["rows"]:,} test rows

{markdown(arms_table(metrics, "test"))}

Means over {seeds_in_words(metrics["seeds"])}. An HCM is a wrong prediction with at least the given confidence.
"""
    return _card(front, body)


def _card(front: dict[str, Any], body: str) -> str:
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{body}"
