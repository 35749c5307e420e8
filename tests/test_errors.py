"""The public exceptions: exported, caught by their base class, kept across processes, and mapped to exit codes."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import hcmlang
from hcmlang.cli import main
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span

ERRORS = {
    hcmlang.DiagnosticError: 1,
    hcmlang.SpecError: 2,
    hcmlang.BudgetExceeded: 3,
    hcmlang.WaitingForAnswers: 4,
}
DIAGNOSTIC = Diagnostic("some-code", "this is wrong", Span.point(Source("a.yaml", "a: 1\n"), 1), "fix it")


def fail(kind: type[DiagnosticError]) -> None:
    raise kind([DIAGNOSTIC, DIAGNOSTIC])


@pytest.mark.parametrize("kind", ERRORS)
def test_pickling_keeps_class_and_diagnostics(kind: type[DiagnosticError]) -> None:
    error = pickle.loads(pickle.dumps(kind(DIAGNOSTIC)))
    assert type(error) is kind
    assert error.diagnostics == (DIAGNOSTIC,)
    assert str(error) == str(kind(DIAGNOSTIC))


def test_an_error_crosses_processes() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        for kind in ERRORS:
            error = pool.submit(fail, kind).exception()
            assert type(error) is kind
            assert error.diagnostics == (DIAGNOSTIC, DIAGNOSTIC)


@pytest.mark.parametrize(("kind", "code"), ERRORS.items())
def test_the_command_line_maps_errors_to_exit_codes(
    kind: type[DiagnosticError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["hcmlang", "check", "a.yaml"])
    monkeypatch.setattr(main.cli, "main", lambda **_: fail(kind))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == code
    assert capsys.readouterr().err.startswith("a.yaml:1:1: error: this is wrong [some-code]")


def test_an_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.cli, "main", interrupt)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert "run the same command again to resume" in capsys.readouterr().err


def test_the_library_knows_no_exit_codes() -> None:
    assert not hasattr(DiagnosticError(DIAGNOSTIC), "exit_code")
    assert all(issubclass(kind, hcmlang.DiagnosticError) for kind in ERRORS)
    assert set(hcmlang.__all__) <= {name for name in hcmlang.__all__ if getattr(hcmlang, name)}
