"""The steps of the loop by name."""

from __future__ import annotations

from hcmlang.loop import gather, learn, mitigate, pool_map, probe, teach
from hcmlang.loop.work import Action

ACTIONS: dict[str, Action] = {
    "read": Action(learn.read, version=2),
    "part": Action(learn.part, version=2),
    "train": Action(learn.train),
    "predict": Action(learn.predict, version=2),
    "join": Action(learn.join),
    "fold": Action(mitigate.fold),
    "unfold": Action(learn.unfold),
    "detect": Action(teach.detect, version=3),
    "characterize": Action(teach.characterize),
    "generic": Action(teach.generic),
    "probe": Action(probe.probe),
    "generate": Action(teach.generate, version=3),
    "recorded": Action(teach.recorded),
    "relabel": Action(teach.relabel),
    "duplicate": Action(teach.duplicate),
    "select": Action(teach.select, version=2),
    "retrain": Action(mitigate.retrain),
    "guard": Action(mitigate.guarded),
    "pair": Action(mitigate.pair),
    "map": Action(pool_map.pool_map),
    "results": Action(gather.results, version=6),
}
