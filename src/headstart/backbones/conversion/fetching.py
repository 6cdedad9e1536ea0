"""Fetching published weights without ever waiting long for a network that is not there.

`retry_download` wraps whatever a library downloads: the host is tried for a few seconds first; where it does not answer
the libraries are made to use what they have on disk; whatever they raise becomes one `BackboneError` that says what was
needed and what is available here.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies

from headstart.backbones.converted import available_words
from headstart.errors import BackboneError, UserError

_CONNECT = 3.0  # seconds for a first answer
_STALL = 30.0  # seconds without a byte before a download is given up


def reachable(url: str) -> bool:
    """Whether the server of this address, or the proxy in front of it, accepts a connection within seconds."""
    parts = urlsplit(getproxies().get(urlsplit(url).scheme, url))
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT).close()
    except (OSError, ValueError):
        return False
    return True


@contextlib.contextmanager
def retry_download(name: str, url: str) -> Iterator[None]:
    """Run a library's download of the weights of backbone `name` from `url`, or its finding them on disk."""
    online = reachable(url)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL)
    try:
        with contextlib.nullcontext() if online else _hub_offline():
            yield
    except UserError:
        raise
    except Exception as error:  # whatever a network, a hub's client or a damaged file raises
        raise BackboneError(_sentence(name, url, online, error)) from error
    finally:
        socket.setdefaulttimeout(before)


def _sentence(name: str, url: str, online: bool, error: Exception) -> str:
    host = urlsplit(url).hostname
    if online:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return (
            f"the weights of backbone {name!r} could not be fetched from {host}: {reason} Usable here: "
            f"{available_words()}."
        )
    return (
        f"backbone {name!r} needs its published weights, which are not on this machine, and {host} cannot be reached: "
        f"connect once, give a checkpoint with --weights, or use one of {available_words()}."
    )


@contextlib.contextmanager
def _hub_offline() -> Iterator[None]:
    """Have the hub's client look on disk only, instead of retrying for most of a minute."""
    try:
        from huggingface_hub import constants
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
