"""The choice of an executor: none for this process, workers beside it, or a cluster."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.loop.job import Executor
from hcmlang.loop.storage import Storage
from hcmlang.progress import Progress


def executor_for(
    on: str | None, workers: int | None, storage: Storage, progress: Progress
) -> AbstractContextManager[Executor | None]:
    """Who runs the steps of a run; None where this process does. See :meth:`hcmlang.api.Experiment.run`.

    Raises :class:`DiagnosticError` where there is no such cluster.
    """
    if on is not None:
        if on != "ray" and not re.fullmatch(r"ray://.+:\d+/?", on):
            hint = "write `--on ray`, or `--on ray://HOST:10001` for one that runs elsewhere"
            raise SpecError(Diagnostic("unknown-cluster", f"there is no cluster `{on}`", hint=hint))
        try:
            from hcmlang.loop.cluster import Cluster
        except ImportError as error:
            message = f"`--on {on}` needs a package that is not there: {error}"
            hint = "pip install 'hcmlang[ray]'"
            raise DiagnosticError(Diagnostic("missing-package", message, hint=hint)) from error
        return Cluster(on, workers, storage, progress)
    if workers is not None and workers > 1:
        from hcmlang.loop.workers import Workers

        return Workers(workers, storage, progress)
    return nullcontext()
