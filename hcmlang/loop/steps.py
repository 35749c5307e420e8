"""The steps of the loop by name."""

from __future__ import annotations

from hcmlang.loop import gather, learn, teach
from hcmlang.loop.work import Action

ACTIONS: dict[str, Action] = {
    "read": Action(learn.read),
    "train": Action(learn.train),
    "predict": Action(learn.predict),
    "crossfit": Action(learn.crossfit),
    "detect": Action(teach.detect),
    "characterize": Action(teach.characterize),
    "generate": Action(teach.generate, version=2),
    "select": Action(teach.select),
    "duplicate": Action(teach.duplicate),
    "mitigate": Action(learn.mitigate),
    "results": Action(gather.results, version=3),
}
