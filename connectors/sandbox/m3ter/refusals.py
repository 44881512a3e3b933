"""What the emulated m3ter says no with: a status and the one field of m3ter's error bodies."""


class RefusedError(Exception):
    """A request refused; answered as `{"message": …}`, the only error body that m3ter documents."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> RefusedError:
    """The request is understood and wrong."""
    return RefusedError(400, message)


def not_found(kind: str, entity_id: str) -> RefusedError:
    """The entity is not in this organization."""
    return RefusedError(404, f"{kind} with id {entity_id} not found")


def unauthorized() -> RefusedError:
    """A token or key that is unknown or too old: m3ter documents 403, not 401, for it."""
    return RefusedError(403, "Unauthorized")


def response_too_large() -> RefusedError:
    """A page that holds too much."""
    return RefusedError(413, "Response too large")


def forbidden() -> RefusedError:
    """An organization that the key may not see, or a body that the web application firewall stops."""
    return RefusedError(403, "Forbidden")
