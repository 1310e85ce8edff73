"""Whether an address is free, before anything is started that would need it."""

import socket


class PortTaken(RuntimeError):
    """Somebody listens there already."""


def require_free(host: str, port: int, *, setting: str) -> None:
    """Raise PortTaken, naming the setting that chooses another port, when ``port`` is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} on {host} cannot be used ({error.strerror}); "
                f"stop what listens there, or choose another with {setting}=…"
            ) from None
