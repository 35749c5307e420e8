"""The engine `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hcmlang.engines.base import Engine, EngineContext
from hcmlang.engines.hosted.base import HostedEngine
from hcmlang.lang import Dialect
from hcmlang.spec.base import FileName
from hcmlang.spec.kinds import EngineKind


class ReplayEngine(EngineKind):
    """Answers from a recording: no network, no cost. A call that was not recorded is an error."""

    hosted = True

    kind: Literal["replay"]
    """The engine with recorded answers."""
    recording: FileName
    """A file that `hcmlang record export` wrote, or the `journal.db` of a run."""
    engine: HostedEngine
    """The engine that was recorded, as in its spec."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return self.engine.dialects

    @property
    def token_limit(self) -> int:
        return self.engine.token_limit

    def make(self, context: EngineContext | None = None) -> Engine:
        from hcmlang.engines.hosted.recording import Replay

        return self.engine.over(lambda _: Replay(Path(self.recording)), self.model_dump_json(), context)
