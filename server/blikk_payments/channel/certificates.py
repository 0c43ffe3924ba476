"""Choose the authorities that Blikk's TLS certificate is checked against."""

from __future__ import annotations

import os
import ssl

import certifi


def tls_context(*, trust_env: bool) -> ssl.SSLContext:
    """TLS that checks certificates and names, against certifi's list or what `SSL_CERT_FILE` or `SSL_CERT_DIR` names.

    Not `ssl.create_default_context`, which obeys `SSLKEYLOGFILE`: it would write down what decrypts the key.

    Raises:
        OSError: there are no such certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file = os.environ.get("SSL_CERT_FILE") if trust_env else None
    folder = os.environ.get("SSL_CERT_DIR") if trust_env and not file else None
    context.load_verify_locations(file or (None if folder else certifi.where()), folder)
    return context
