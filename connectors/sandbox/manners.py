"""How each emulated system itself says that a session has ended or that there were too many requests."""

from connectors.sandbox.m3ter.gate import too_many_requests
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import unauthorized
from connectors.sandbox.misbehaviour import Refusal
from connectors.sandbox.salesforce.records import Org


class SalesforceManners:
    """An org's own refusals."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def expire_session(self, _bearer_token: str) -> Refusal:
        """End the org's sessions; refresh tokens and client credentials stay good."""
        self._org.expire_sessions()
        body = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
        return Refusal(401, body)

    def rate_limited(self) -> Refusal:
        """The daily limit of API requests is used up."""
        body = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        return Refusal(403, body)


class M3terManners:
    """An organization's own refusals."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def expire_session(self, bearer_token: str) -> Refusal:
        """Withdraw the token; m3ter documents a 403 Unauthorized for one that has expired."""
        self._organization.tokens.expire(bearer_token.strip() or None)
        refused = unauthorized()
        return Refusal(refused.status, {"message": refused.message})

    def rate_limited(self) -> Refusal:
        """The organization's requests of this second are used up."""
        refused = too_many_requests()
        return Refusal(refused.status, {"message": refused.message})
