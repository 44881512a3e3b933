"""What systemd is told over the notify socket: ready, alive, stopping, and one line of status."""

import os
import socket
from collections.abc import Mapping


class Service:
    """The daemon's word to the service manager (sd_notify(3)); silent when no manager started it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract socket's name.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()) and bool(
            environment.get("WATCHDOG_USEC")
        )
        self._status = ""

    def ready(self, status: str) -> None:
        self._status = status
        self._tell("READY=1", f"STATUS={_line(status)}")

    def alive(self, status: str) -> None:
        """Feeds the watchdog; the status line goes along when it changed."""
        lines = ["WATCHDOG=1"] if self._watchdog else []
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={_line(status)}")
        self._tell(*lines)

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=Finishing the record in hand")

    def _tell(self, *lines: str) -> None:
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.setblocking(False)
                notify.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            # Nobody listens, or its buffer is full: systemd notices what is missing by itself.
            return


def _line(status: str) -> str:
    return " ".join(status.split())[:200]
