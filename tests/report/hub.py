"""A small hub on loopback with the API that huggingface_hub needs to create repositories and commit to them, with large
files."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_test"


@dataclass
class Repository:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0


@dataclass
class Hub:
    """What is there: repositories by kind and name, and large files by their digest."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Repositories that take no commit."""
    calls: list[str] = field(default_factory=list)


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._handle("POST")

        def do_GET(self) -> None:
            self._handle("GET")

        def do_PUT(self) -> None:
            self._handle("PUT")

        def _handle(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            hub.calls.append(f"{method} {path}")
            # As on S3, the address of a large file is its permission.
            if not path.startswith("/large/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, {"error": "Invalid username or password."}
            else:
                status, answer = _answer(hub, method, path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(hub: Hub, method: str, path: str, body: bytes) -> tuple[int, Any]:
    if path == "/api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    if path == "/api/repos/create":
        return _create(hub, json.loads(body))
    if path.startswith("/large/"):
        hub.large[path.removeprefix("/large/")] = body
        return 200, {}
    if path.endswith(".git/info/lfs/objects/batch"):
        return 200, _batch(hub, json.loads(body))
    parts = path.removeprefix("/api/").split("/")
    name, action = "/".join(parts[:3]), parts[3] if len(parts) > 3 else ""
    repository = hub.repositories.get(name)
    if repository is None:
        return 404, {"error": "Repository not found"}
    if name in hub.refused:
        return 403, {"error": "You are not in the owner's organization."}
    if action == "preupload":
        files = json.loads(body)["files"]
        return 200, {"files": [_mode(one["path"]) for one in files]}
    if action == "tree" and method == "GET":
        return 200, [{"type": "file", "path": p, "size": len(c), "oid": "0"} for p, c in repository.files.items()]
    if action == "commit":
        _commit(hub, repository, body)
        url = f"{hub.url}/{name}/commit/{repository.commits}"
        return 200, {"commitUrl": url, "commitOid": str(repository.commits), "success": True}
    return 404, {"error": f"{method} {path} is not known here"}


def _create(hub: Hub, wanted: dict[str, Any]) -> tuple[int, Any]:
    kind = wanted.get("type", "model")
    name = f"{wanted['organization']}/{wanted['name']}"
    url = f"{hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if f"{kind}s/{name}" in hub.repositories:
        return 409, {"error": "You already created this repo", "url": url}
    private = wanted.get("visibility") == "private" or wanted.get("private") is True
    hub.repositories[f"{kind}s/{name}"] = Repository(private)
    return 200, {"url": url, "name": name, "id": "0"}


def _mode(path: str) -> dict[str, Any]:
    large = path.endswith((".parquet", ".safetensors"))
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}


def _batch(hub: Hub, wanted: dict[str, Any]) -> dict[str, Any]:
    objects = [
        {**one, "actions": {"upload": {"href": f"{hub.url}/large/{one['oid']}", "header": {}}}}
        for one in wanted["objects"]
    ]
    return {"transfer": "basic", "objects": objects}


def _commit(hub: Hub, repository: Repository, body: bytes) -> None:
    for line in map(json.loads, body.decode().splitlines()):
        value = line["value"]
        if line["key"] == "file":
            repository.files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            content = hub.large[value["oid"]]
            assert hashlib.sha256(content).hexdigest() == value["oid"]
            repository.files[value["path"]] = content
        elif line["key"] == "deletedFile":
            del repository.files[value["path"]]
    repository.commits += 1
