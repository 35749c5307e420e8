"""The address of a server and its API key, and how to show messages without secrets."""

from __future__ import annotations

import base64
import ipaddress
import os
from contextlib import suppress
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.openai import OpenAIEngine

#: The key for servers that need none.
NO_KEY = "none"
#: Shorter texts are no secrets; removing them would only garble messages.
_SHORTEST = 5


class Endpoint:
    """The server of an engine: its address without secrets (`shown`), and the `key` from the environment.

    Raises :class:`DiagnosticError` where the key is missing or the address is invalid.
    """

    def __init__(self, config: OpenAIEngine) -> None:
        address = _address(config.base_url)
        self.shown = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
        key = os.environ.get(config.key_env, "").strip()
        if not key and _nearby(address.hostname or ""):
            key = NO_KEY
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            what = "does not hold an API key" if key else "is not set"
            message = f"the environment variable {config.key_env} {what}, and {self.shown} needs a key"
            hint = f"set {config.key_env} to your key, or `key_env` to the name of the variable that holds it"
            raise DiagnosticError(Diagnostic("no-key", message, None, hint))
        self.key = key
        self._secrets = _secrets(key, address)

    def redact(self, text: str) -> str:
        """The text without the key, and without the user, password and query of the address."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _address(base_url: str) -> SplitResult:
    with suppress(ValueError):
        address = urlsplit(base_url)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return address
    hint = "start it with `http://` or `https://`, and include `/v1`"
    raise DiagnosticError(Diagnostic("server-unreachable", "`base_url` is not the address of a server", None, hint))


def _nearby(host: str) -> bool:
    """Whether the host is this machine or in the same network, where servers often need no key."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _secrets(key: str, address: SplitResult) -> list[str]:
    user = address.netloc.rpartition("@")[0]
    plain = {key, user, unquote(user), *user.split(":"), *unquote(user).split(":")}
    plain |= {address.query, *(value for _, value in parse_qsl(address.query))}
    coded = {base64.b64encode(unquote(user).encode()).decode(), quote(key, safe="")}
    return sorted((secret for secret in plain | coded if len(secret) >= _SHORTEST), key=len, reverse=True)
