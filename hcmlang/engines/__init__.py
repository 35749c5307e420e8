"""Engines: what writes texts under a compiled program. Each kind is a :class:`hcmlang.spec.kinds.EngineKind`."""
