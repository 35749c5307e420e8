"""Sources of packs for tests: a loopback server with files, and with repositories in the hub's layout."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hcmlang.packs.new_pack import new_pack


def make_pack(folder: Path, version: str = "1.0.0", name: str = "reviews", description: str = "Of reviews.") -> Path:
    """The pack of `hcmlang prompts new`, in another version."""
    if not folder.exists():
        new_pack(folder, name)
    file = folder / "pack.yaml"
    text = re.sub(r"(?m)^version: .*$", f"version: {version}", file.read_text(encoding="utf-8"))
    file.write_text(re.sub(r"(?m)^description: .*$", f"description: {description}", text), encoding="utf-8")
    return folder


class Hub:
    """Repositories in folders: `root/datasets/OWNER/NAME/COMMIT/...`, with tags and `main` in `refs.json`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def commit(self, repository: str, folder: Path, tag: str, subfolder: str = "") -> str:
        """Put the files of a folder into a repository as a new commit with a tag; the commit."""
        place = self.root / repository
        refs = self.refs(repository)
        digest = hashlib.sha1(f"{tag}{repository}".encode()).hexdigest()
        shutil.copytree(folder, place / digest / subfolder)
        (place / "refs.json").write_text(json.dumps({**refs, "main": digest, tag: digest}), encoding="utf-8")
        return digest

    def empty(self, repository: str) -> None:
        """A new repository with one commit that has nothing, unless there is one."""
        if not self.refs(repository):
            (self.root / repository / "0").mkdir(parents=True)
            (self.root / repository / "refs.json").write_text('{"main": "0"}', encoding="utf-8")

    def take(self, repository: str, lines: list[dict[str, Any]]) -> str:
        """A commit that was sent; its name."""
        refs = self.refs(repository)
        digest = hashlib.sha1(json.dumps([refs, lines]).encode()).hexdigest()
        place = self.root / repository / digest
        shutil.copytree(self.root / repository / refs["main"], place)
        for line in lines:
            if line["key"] == "deletedFile":
                (place / line["value"]["path"]).unlink()
            elif line["key"] == "file":
                file = place / line["value"]["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(base64.b64decode(line["value"]["content"]))
        self.tag(repository, "main", digest)
        return digest

    def tag(self, repository: str, name: str, commit: str) -> None:
        refs = self.refs(repository)
        refs[name] = refs.get(commit, commit)
        (self.root / repository / "refs.json").write_text(json.dumps(refs), encoding="utf-8")

    def refs(self, repository: str) -> dict[str, str]:
        file = self.root / repository / "refs.json"
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return found

    def folder(self, repository: str, revision: str) -> tuple[str, Path]:
        commit = self.refs(repository).get(revision, revision)
        return commit, self.root / repository / commit

    def about(self, repository: str, revision: str) -> dict[str, Any]:
        commit, folder = self.folder(repository, revision)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [{"rfilename": p.relative_to(folder).as_posix(), "size": p.stat().st_size} for p in files]
        kind, _, name = repository.partition("/")
        return {"_id": "1", "id": name, "sha": commit, "private": False, "tags": [], "downloads": 0, "likes": 0} | {
            "siblings": siblings,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "kind": kind,
        }

    def tree(self, repository: str, revision: str) -> list[dict[str, Any]]:
        _, folder = self.folder(repository, revision)
        return [
            {"type": "file", "path": p.relative_to(folder).as_posix(), "size": p.stat().st_size, "oid": _digest(p)}
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        ]


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serving(files: Path, hub: Hub) -> Iterator[tuple[str, list[str]]]:
    """The address of a server with the files of a folder under /files/, and a hub at its root; and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """What uploading takes: a repository is made, files are asked about and sent as lines of JSON, a tag is set."""
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if path == "/api/repos/create":
                name = json.loads(data)["name"]
                owner = json.loads(data).get("organization") or "me"
                hub.empty(f"datasets/{owner}/{name.rpartition('/')[2]}")
                self._json(
                    {
                        "url": f"https://huggingface.co/datasets/{owner}/{name}",
                        "id": f"{owner}/{name}",
                        "name": f"{owner}/{name}",
                    }
                )
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/preupload/main", path):
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(data)["files"]
                ]
                self._json({"files": files})
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/commit/main", path):
                commit = hub.take(match[1], [json.loads(line) for line in data.splitlines() if line.strip()])
                self._json(
                    {
                        "success": True,
                        "commitOid": commit,
                        "commitUrl": f"https://huggingface.co/{match[1]}/commit/{commit}",
                    }
                )
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/tag/(.+)", path):
                hub.tag(match[1], json.loads(data)["tag"], match[2])
                self._json({})
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            named = re.match(r"/(?:api/)?(datasets/[^/]+/[^/]+)", path)
            if named and not hub.refs(named[1]):
                self.send_error(404)
            elif match := re.fullmatch(r"/files/(.+)", path):
                self._file(files / match[1])
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/refs", path):
                refs = hub.refs(match[1])
                tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in refs.items() if n != "main"]
                main = {"name": "main", "ref": "refs/heads/main", "targetCommit": refs.get("main", "")}
                self._json({"branches": [main], "converts": [], "tags": tags})
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)(?:/revision/(.+))?", path):
                self._json(hub.about(match[1], match[2] or "main"))
            elif match := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/tree/([^/]+).*", path):
                self._json(hub.tree(match[1], match[2]))
            elif match := re.fullmatch(r"/(datasets/[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                commit, folder = hub.folder(match[1], match[2])
                self._file(folder / match[3], commit)
            else:
                self.send_error(404)

        def _json(self, value: Any) -> None:
            self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _file(self, path: Path, commit: str = "") -> None:
            if path.is_file():
                self._send(path.read_bytes(), {"ETag": f'"{_digest(path)}"', "X-Repo-Commit": commit})
            else:
                self.send_error(404)

        def _send(self, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
