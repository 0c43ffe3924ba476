"""What the channel trusts, and what it shows of its secret."""

from __future__ import annotations

import pickle
import ssl
from pathlib import Path

import certifi
import pytest

from blikk_payments.channel.certificates import tls_context
from blikk_payments.channel.secret import SecretStr
from tests.payments.tls import own_certificate


def test_certificates_and_names_are_checked_with_a_modern_tls() -> None:
    """Whoever answers has to be Blikk, and nobody may read along."""
    context = tls_context(trust_env=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("name", ["", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environment_names_other_certificates_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trust_env: bool
) -> None:
    """What it names is trusted and nothing else; traffic of this machine is none of its business."""
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    if name:
        own = own_certificate(tmp_path)
        monkeypatch.setenv(name, str(own if name == "SSL_CERT_FILE" else tmp_path))
    usual = ssl.create_default_context(cafile=certifi.where()).cert_store_stats()["x509_ca"]
    trusted = tls_context(trust_env=trust_env).cert_store_stats()
    if not name or not trust_env:
        assert trusted["x509_ca"] == usual
    else:
        # A folder's are looked up by their hash, one by one, when they are needed.
        assert trusted["x509"] == (1 if name == "SSL_CERT_FILE" else 0)


def test_a_secret_is_shown_by_nothing_but_the_one_call() -> None:
    """Logs, tracebacks and other processes get an object of the same name."""
    secret = SecretStr("hidden-7f3a")
    assert secret.get_secret_value() == "hidden-7f3a"
    assert "7f3a" not in f"{secret} {secret!r} {[secret]}"
    assert repr(SecretStr("")) != repr(secret)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
