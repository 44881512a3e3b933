"""Which OAuth flow a Salesforce credential means, and what it says when something is missing."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from connectors.salesforce.models import SalesforceCredential

URL = "https://acme.my.salesforce.com"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


RSA = pem(rsa.generate_private_key(65537, 2048))
ELLIPTIC = pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("given", "flow"),
    [
        ({"client_secret": "s"}, "client_credentials"),
        ({"client_secret": "s", "username": "u"}, "client_credentials"),
        ({"private_key": RSA, "username": "u"}, "jwt_bearer"),
        ({"refresh_token": "r"}, "refresh_token"),
        ({"refresh_token": "r", "client_secret": "s"}, "refresh_token"),
        ({"refresh_token": "r", "client_secret": "s", "flow": "client_credentials"}, "client_credentials"),
        ({"refresh_token": " ", "private_key": "", "client_secret": "s"}, "client_credentials"),
    ],
)
def test_the_flow_is_what_the_values_are_for(given: dict[str, str], flow: str) -> None:
    assert SalesforceCredential(url=URL, client_id="c", **given).flow == flow  # type: ignore[arg-type]  # texts


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "nothing to sign in with"),
        ({"private_key": RSA}, "username is missing"),
        ({"flow": "jwt_bearer", "username": "u"}, "private key is missing"),
        ({"flow": "refresh_token", "client_secret": "s"}, "needs a refresh token"),
        ({"private_key": "hush", "username": "u"}, "no PEM file"),
        ({"private_key": ELLIPTIC, "username": "u"}, "no RSA key"),
        ({"client_secret": "s", "url": "https://login.salesforce.com"}, "the org's own address"),
        ({"client_secret": "s", "url": "http://acme.my.salesforce.com"}, "in the clear"),
        ({"client_secret": "s", "api_version": "31.0"}, "being retired"),
        ({"client_secret": "s", "api_version": "latest"}, "match pattern"),
        ({"client_secret": "s", "client_id": "  "}, "at least 1 character"),
    ],
)
def test_what_is_missing_is_said_without_secrets(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        SalesforceCredential(**{"url": URL, "client_id": "c", **given})  # type: ignore[arg-type]  # texts
    assert "hush" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)


def test_a_summary_and_a_repr_hold_no_secret() -> None:
    credential = SalesforceCredential.model_validate(
        {"url": URL, "client_id": "c", "client_secret": "hush", "refresh_token": "hush-hush"}
    )
    assert "hush" not in repr(credential)
    assert "hush" not in str(credential.summary())
    assert credential.summary()["url"] == URL


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        (URL, "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_the_jwt_goes_to_the_right_login_host(url: str, audience: str) -> None:
    made = SalesforceCredential.model_validate(
        {"url": url, "client_id": "c", "private_key": RSA, "username": "u"}
    )
    assert made.jwt_audience() == audience
    told = made.model_copy(update={"audience": "https://site.example"})
    assert told.jwt_audience() == "https://site.example"
