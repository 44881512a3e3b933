"""A long-running task, as the flows name what they want to run, and the process that runs it."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A long-running task; it must be started anew when its fingerprint changes."""

    name: str
    fingerprint: str
    run: Callable[[asyncio.Event], Coroutine[None, None, None]]


def here() -> str:
    """This process, among all that share the database."""
    return f"{socket.gethostname()}/{os.getpid()}"
