"""Attacks on the page: each one is refused or escaped."""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hcmlang.annotate.access import MOST_BYTES, POLICY, Access, is_loopback
from hcmlang.annotate.serve import bound
from hcmlang.diagnostics import DiagnosticError
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask
from tests.annotate.served import Person, server
from tests.conftest import PROGRAM

QUIET: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}
SCRIPT = "</p><script>alert(1)</script><img src=x onerror=alert(2)>\"' onclick='alert(3)"


@pytest.fixture
def run(labelling: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(labelling, folder)
    return folder / "run"


@pytest.fixture
def base(run: Path) -> Iterator[str]:
    with server(run) as address:
        yield address


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A run whose only task is an attack."""
    content = {"texts": {SCRIPT: SCRIPT}, "labels": [SCRIPT, "b"], "label": SCRIPT, "votes": [[SCRIPT, 1], ["b", 1]]}
    with TaskStore(tmp_path / "journal.db") as tasks:
        tasks.want("here", [AnnotationTask("v", "adjudicate", "crowd", content)], {})
    return tmp_path


def test_a_script_in_a_text_or_label_is_escaped(empty: Path) -> None:
    with server(empty) as base, Person(base, "Ada") as ada:
        page = ada.get("/work")
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert page.headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY


@pytest.mark.parametrize("job", ["characterize", "write"])
def test_a_script_in_a_group_or_hypothesis_is_escaped(tmp_path: Path, job: str) -> None:
    one = {"texts": {"text": SCRIPT}, "confidence": 0.9}
    contents = {
        "characterize": {
            **{"labels": [SCRIPT, "b"], "fields": ["text"], "gold": SCRIPT, "predicted": SCRIPT, "size": 1, "of": 1},
            **{"terms": [SCRIPT, "script"], "mistakes": [{"number": 1, **one}], "right": [one]},
        },
        "write": {
            **{
                "fields": ["text"],
                "target": SCRIPT,
                "wrong": SCRIPT,
                "contrast": False,
                "examples": [{"text": SCRIPT}],
            },
            **{"rules": [SCRIPT], "hypothesis": {"statement": SCRIPT, "triggers": [SCRIPT, "img"]}},
        },
    }
    with TaskStore(tmp_path / "journal.db") as tasks:
        tasks.want("here", [AnnotationTask("t", job, "crowd", contents[job])], {})  # type: ignore[arg-type]
    with server(tmp_path, title=SCRIPT) as base, Person(base, "Ada") as ada:
        page = ada.get("/work").text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "onerror=" not in page.replace("onerror=alert(2)", ""), "not even in an attribute"


def test_names_are_escaped_and_validated(base: str) -> None:
    with Person(base) as ada:
        assert ada.send("/join", name=SCRIPT[:40]).text.count("<script>alert") == 0
        for name in ("", "   ", "a" * 61, "Ada\x00", "Ada\x1b[31m"):
            ada.client.cookies.clear()
            ada.get("/")
            assert ada.send("/join", name=name).status_code == 422, name


def test_a_form_from_another_site_is_refused(base: str, run: Path) -> None:
    with Person(base, "Ada") as ada:
        ada.get("/work")
        form = {**ada.hidden(), "label": "positive"}
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            assert ada.client.post("/answer", data=form, headers=headers).status_code == 403
        for token in ("", "wrong", "é"):
            assert ada.client.post("/answer", data={**form, "csrf": token}).status_code == 403
        with Person(base, "Mallory") as mallory:
            stolen = {**form, "csrf": mallory.hidden()["csrf"]}
            assert ada.client.post("/answer", data=stolen).status_code == 403, "a form of another browser"
        assert httpx.post(f"{base}/answer", data=form).status_code == 403, "no session"
        cookie = next(iter(ada.client.cookies.jar))
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "lax"
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.rows("select count(*) from people_answers where annotator = 'Ada' and task = ?", form["task"]) == [
            (0,)
        ]


def test_links_change_nothing(base: str) -> None:
    with Person(base, "Ada") as ada:
        # A rejected form is shown at this address. Going back to it leads to the task.
        assert ada.client.get("/answer").url.path == "/work"
        for path in ("draft", "skip", "undo", "pause", "leave"):
            assert ada.client.get(f"/{path}").status_code == 405


def test_a_session_cannot_be_forged(base: str) -> None:
    access = Access("another secret", None)
    forged = access.write(replace(access.new_session(), name="Ada"))
    (name,) = Person(base).client.cookies
    for cookie in (forged, "x", "x.y", ".", forged.split(".")[0] + ".", "\x7f" * 40):
        with Person(base, headers={"cookie": f"{name}={cookie}"}) as somebody:
            assert "What is your name?" in somebody.page.text


def test_two_runs_on_one_machine_keep_their_own_sessions(base: str, run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    with TaskStore(other / "journal.db") as tasks, tasks.writing() as db:
        db.execute("update people_settings set value = 'another secret'")
        db.execute("insert or ignore into people_settings values ('secret', 'another secret')")
    with server(other) as elsewhere, Person(base, "Ada") as ada:
        assert ada.client.get(f"{elsewhere}/").status_code == 200
        assert "Ada" in ada.get("/work").text


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fcli%2fmain.py", "/static//etc/passwd"),
        *("/static/annotate.css/../annotate.js", "/..%5c..%5cjournal.db", "/journal.db", "/static/", "/%00"),
    ],
)
def test_no_path_reaches_the_file_system(base: str, path: str) -> None:
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert answer.split(b" ")[1] in (b"404", b"400"), answer[:200]


def test_a_large_body_is_refused(base: str) -> None:
    with Person(base, "Ada") as ada:
        ada.get("/work")
        large = {**ada.hidden(), "label": "x" * MOST_BYTES}
        assert ada.client.post("/answer", data=large).status_code == 413

        def pieces() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 10_000

        # Without a content length, reading stops at the limit.
        assert ada.client.post("/answer", content=pieces()).status_code == 413
        many = "&".join(f"a{n}=1" for n in range(5000))
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert ada.client.post("/answer", content=many, headers=headers).status_code in (400, 413)
        assert ada.client.post("/answer", content=b"\xff\xfe", headers=headers).status_code == 400


def test_a_token_is_required(run: Path) -> None:
    with server(run, token="sesame") as base:
        for path in ("/", "/work", "/my-work.jsonl", "/?token=wrong", "/?token="):
            refused = httpx.get(base + path, follow_redirects=True)
            assert refused.status_code == 403, path
            assert "task" not in refused.text
        with httpx.Client(base_url=base, follow_redirects=True) as client:
            page = client.get("/?token=sesame")
            assert page.status_code == 200
            assert "sesame" not in str(page.url), "the token leaves the address bar"
            assert client.get("/work").status_code == 200
            cookies = dict(client.cookies)
    with server(run, token="another") as base:
        assert httpx.get(base, cookies=cookies).status_code == 403, "a new token invalidates old sessions"


def test_other_names_of_this_machine_are_refused(base: str) -> None:
    """A page elsewhere whose name resolves to this machine (DNS rebinding) gets nothing."""
    assert httpx.get(base, headers={"host": "evil.example"}).status_code == 421
    assert httpx.get(base, headers={"host": "localhost:1"}).status_code == 200
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "x")] == [
        *(True, True, True, False, False, False)
    ]


def test_an_answer_to_an_unknown_task_does_nothing(base: str, run: Path) -> None:
    with Person(base, "Ada") as ada:
        ada.get("/work")
        form = {**ada.hidden(), "label": "positive"}
        for key in ("", "x", "' or 1=1 --", json.dumps({"$ne": 1})):
            assert "no longer exists" in ada.client.post("/answer", data={**form, "task": key}).text
            assert ada.client.post("/draft", data={**form, "task": key}).status_code == 204
            assert ada.client.post("/skip", data={**form, "task": key}).status_code == 200
    with TaskStore(run / "journal.db") as tasks:
        assert tasks.rows("select count(*) from people_skips") == [(0,)]


def test_only_assigned_annotators_can_answer_a_task(base: str, run: Path) -> None:
    with Person(base, "Grace") as grace, Person(base, "Mallory") as mallory:
        grace.get("/work")
        theirs = grace.hidden()["task"]
        mallory.get("/work")
        own = mallory.hidden()
        for token in (own["token"], grace.hidden()["token"], "", "x.y"):
            page = mallory.client.post("/answer", data={**own, "task": theirs, "token": token, "label": "positive"})
            assert "was not assigned to you" in page.text
        assert "Saved" in grace.send("/answer", label="positive").text
    with TaskStore(run / "journal.db") as tasks:
        assert [one.annotator for one in tasks.answers(theirs)] == ["Grace"]


def test_an_answer_after_the_lease_is_kept_with_its_time(base: str, run: Path) -> None:
    with Person(base, "Grace") as grace:
        grace.get("/work")
        before = grace.hidden()
        with TaskStore(run / "journal.db") as tasks, tasks.writing() as db:
            db.execute("delete from people_leases")
        assert "Saved" in grace.client.post("/answer", data={**before, "label": "positive", "active": "7"}).text
    with TaskStore(run / "journal.db") as tasks:
        assert [one.seconds for one in tasks.answers(before["task"])] == [7]


def test_working_time_cannot_be_forged(base: str, run: Path) -> None:
    with Person(base, "Grace") as grace:
        for active in ("1e9", "nan", "-5", "inf", "x"):
            grace.get("/work")
            grace.send("/answer", label="positive", active=active)
    with TaskStore(run / "journal.db") as tasks:
        seconds = [one for (one,) in tasks.rows("select seconds from people_answers where annotator = 'Grace'")]
    assert seconds
    assert all(0 <= one < 60 for one in seconds)


def test_on_other_addresses_a_token_is_created_and_printed(run: Path) -> None:
    command = [*PROGRAM, "annotate", str(run), "--host", "0.0.0.0", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"(http://([\w.-]+):(\d+)/)\?token=([\w-]{20,})", process.stdout.readline())
        assert found is not None
        link, host, port, token = found.groups()
        assert host != "0.0.0.0", "which no browser elsewhere can open"
        assert httpx.get(link).status_code == 403
        assert httpx.get(f"{link}?token={token}", follow_redirects=False).status_code == 303
        taken = subprocess.run(
            [*PROGRAM, "annotate", str(run), "--port", port, "--host", "0.0.0.0"], check=False, **QUIET
        )
        assert taken.returncode == 1
        assert "[address-in-use]" in taken.stderr
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)


def test_a_privileged_port_is_not_reported_as_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refuses)
    with pytest.raises(DiagnosticError) as caught:
        bound("127.0.0.1", 80)
    (told,) = caught.value.diagnostics
    assert told.code == "port-not-allowed"
    assert "from 1024 on" in (told.hint or "")


def raw(base: str, request: bytes) -> bytes:
    """The response of the server to raw bytes."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall(request)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def test_every_response_has_the_policy(base: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"content-security-policy: {POLICY}".encode() in raw(base, b"no request\r\n\r\n")
    for path in ("/", "/nowhere", "/static/annotate.js"):
        assert httpx.get(base + path).headers["content-security-policy"] == POLICY

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("hcmlang.teachers.annotation.assignment.Assignments.progress", fails)
    with Person(base) as ada:
        failed = ada.send("/join", name="Ada")
        assert failed.status_code == 500
        assert failed.headers["content-security-policy"] == POLICY


def test_a_host_header_does_not_redirect(run: Path) -> None:
    with server(run, token="sesame", loopback=False) as base:
        answer = raw(base, b"GET /work/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert answer.split(b" ")[1] == b"404"
        assert b"evil.example" not in answer


def test_slow_clients_are_disconnected(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("access", "serve"):
        monkeypatch.setattr(f"hcmlang.annotate.{place}.MOST_SECONDS", 0.3)
    with server(run) as base, Person(base, "Ada") as ada:
        cookie = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())
        head = f"POST /answer HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Length: 1000\r\n\r\ncsrf="
        assert raw(base, head.encode()).split(b" ")[1] == b"408"
        assert raw(base, b"GET / HTTP/1.1\r\nHost: local") == b"", "the connection is closed"
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as wire:
            wire.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1)
            assert wire.recv(65536).endswith(b"Not Found")
            wire.sendall(b"GET / HTTP/1.1\r\nX: ")
            assert wire.recv(65536) == b"", "a second request has the same limit"
        assert ada.get("/work").status_code == 200


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        (("--token", "a"), "weak-token", "to create one"),
        (("--host", "0.0.0.0", "--token", "short"), "weak-token", "to create one"),
        (("--name", "x" * 61), "bad-name", ""),
        (("--name", "\x1b[31m"), "bad-name", ""),
        (("--host", "0.0.0.0", "--name", "Ada"), "bad-name", "the page asks"),
        (("--host", "no.such.host.invalid"), "unknown-host", "a name or address of this machine"),
        (("--host", "192.0.2.1"), "unknown-host", "a name or address of this machine"),
    ],
)
def test_invalid_options_are_reported(run: Path, options: tuple[str, ...], code: str, hint: str) -> None:
    done = subprocess.run([*PROGRAM, "annotate", str(run), "--port", "0", *options], check=False, **QUIET)
    assert done.returncode in (1, 2)
    assert f"[{code}]" in done.stderr
    assert hint in done.stderr
