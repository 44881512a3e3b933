"""What Salesforce's token endpoint refuses, and which box in Setup mends it."""

from connectors.errors import AuthenticationError, RateLimited
from connectors.exchange import Response
from connectors.refusals import Complaint, Dialect, Refusal

# (part of what Salesforce says, what to do). The first that fits counts.
_CURES: tuple[tuple[str, str, str], ...] = (
    (
        "not_approved",
        "hasn't approved",
        (
            "In the app's policies set Permitted Users to 'Admin approved users are pre-authorized' and "
            "add the user's permission set or profile."
        ),
    ),
    (
        "wrong_audience",
        "audience is invalid",
        (
            "The JWT is addressed to the wrong login host: set the audience to https://login.salesforce.com "
            "for production, https://test.salesforce.com for a sandbox."
        ),
    ),
    (
        "expired_refresh_token",
        "expired access/refresh token",
        "The refresh token was revoked, used twice, or left idle too long: authorize the credential anew.",
    ),
    (
        "bad_assertion",
        "assertion",
        "Upload the certificate that belongs to the private key to the app, and check this machine's clock.",
    ),
    (
        "no_run_as_user",
        "no client credentials user enabled",
        "In the app's policies name a Run As user for the client credentials flow.",
    ),
    (
        "no_client_credentials",
        "client credentials flow",
        "Tick 'Enable Client Credentials Flow' in the app and name a Run As user in its policies.",
    ),
    (
        "bad_password",
        "authentication failure",
        "Check the username, and that the user may use the API from this address.",
    ),
    (
        "wrong_host",
        "request not supported on this domain",
        "Use the org's own address as URL: https://YourDomain.my.salesforce.com.",
    ),
    ("ip_restricted", "ip restricted", "Allow this machine's address, or relax IP restrictions in the app."),
    ("inactive", "inactive", "Activate the user (or the org) that the credential signs in as."),
)
_CODES: tuple[tuple[str, str], ...] = (
    ("invalid_client_id", "The client id is not known there: copy the app's consumer key again."),
    ("invalid_client", "The client id or secret is wrong: copy the app's consumer key and secret again."),
    ("inactive_user", "Activate the user that the credential signs in as."),
    ("inactive_org", "The org is locked, closed or suspended."),
    ("invalid_grant", "Check username, key or token of the credential, and the app's policies."),
    ("unsupported_grant_type", "Enable this OAuth flow in the app."),
    ("invalid_app_access", "Give the user access to the app."),
    ("unauthorized_client", "Enable this OAuth flow in the app."),
)


def _spoken(response: Response) -> Complaint | None:
    body = response.body
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return None
    code, said = body["error"], str(body.get("error_description") or "")
    message = f"Salesforce refuses the sign-in: {said or code}" + (f" ({code})" if said else "")
    cause = next((cause for cause, part, _ in _CURES if part in said.lower()), code)
    return Complaint(message, code, cause=cause)


DIALECT = Dialect(
    _spoken,
    {
        **{cause: Refusal(AuthenticationError, cure) for cause, _, cure in _CURES},
        **{code: Refusal(AuthenticationError, cure) for code, cure in _CODES},
        "rate_limit_exceeded": Refusal(RateLimited, "Too many sign-ins in the last hour: wait."),
        400: Refusal(AuthenticationError, "Check the Salesforce credential."),
        401: Refusal(AuthenticationError, "Check the Salesforce credential."),
        403: Refusal(AuthenticationError, "Check the Salesforce credential."),
        404: Refusal(AuthenticationError, "Check the URL of the Salesforce credential."),
    },
)
