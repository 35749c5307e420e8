"""The exit codes of the command line (docs/diagnostics.md)."""

from hcmlang.diagnostics import BudgetExceeded, DiagnosticError, SpecError, WaitingForAnswers

FAILED, BAD_SPEC, OUT_OF_BUDGET, WAITING, INTERRUPTED = 1, 2, 3, 4, 130


def exit_code_of(error: DiagnosticError) -> int:
    """The exit code for an error."""
    codes = {SpecError: BAD_SPEC, BudgetExceeded: OUT_OF_BUDGET, WaitingForAnswers: WAITING}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), FAILED)
