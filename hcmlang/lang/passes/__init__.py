"""The compiler: a sequence of passes over a draft of the program.

Each pass is a module with a function `run(draft) -> draft`. The passes of `BINDING` know the values in scope and serve
all instances of a hypothesis; those of `PLACING` serve one instance and draw on its random stream.
"""

from __future__ import annotations

from collections.abc import Callable

from hcmlang.lang.draft import Draft
from hcmlang.lang.passes import bound, choose, desugar, intersect, normalize, order, place, push_down

Pass = Callable[[Draft], Draft]

BINDING: tuple[Pass, ...] = (desugar.run, normalize.run, push_down.run)
PLACING: tuple[Pass, ...] = (place.run, choose.run, bound.run, intersect.run, order.run)
PASSES: tuple[Pass, ...] = (*BINDING, *PLACING)
