"""Teachers: who explains the mistakes of a classifier. Each kind is a :class:`hcmlang.spec.kinds.TeacherKind`."""
