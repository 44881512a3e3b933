"""Which base URLs a credential may name: https, or http on this machine."""

from ipaddress import ip_address

from yarl import URL


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(text: str) -> str:
    """`text` as scheme, host and port. ValueError, fit to be shown, when a secret must not go there."""
    try:
        url = URL(text.strip())
        host = url.host
    except ValueError as error:
        raise ValueError(f"{text!r} is no URL: write it as https://host") from error
    if url.scheme not in ("https", "http") or not host:
        raise ValueError(f"{text!r} is no URL: write it as https://host")
    if url.user or url.password or url.query_string or url.fragment or url.path not in ("", "/"):
        raise ValueError("write only scheme and host: https://host, without user, path or query")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError(f"http://{host} would send secrets in the clear: write https://{host}")
    return str(url.origin())
