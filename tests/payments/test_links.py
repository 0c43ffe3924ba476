"""The grammar of approval links."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blikk_payments.channel.links import Link, LinkRefused, check_link, is_loopback
from tests.expecting import assert_fields

BANK = "https://sca.bank.example/approve?id=1"


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example",
        "https://bank.example/",
        "https://bank.example:443/a/b;c=d/@e?x=1&y=%C3%A1/?#top",
        "https://bank.example?x=1",
        "https://bank.example#x",
        "https://a-b.c--d.example/",
        "https://1.2.3.example/",
        "https://sca.localhost.example/",
        "https://" + "a" * 63 + ".example/",
        "https://" + "a." * 123 + "example/",
    ],
)
def test_a_full_https_link_passes_unchanged(url: str) -> None:
    """RFC 3986; https, port 443 and a DNS name of two labels or more: our rule."""
    assert check_link(url) == Link(url, urlsplit(url).hostname or "", punycode=False)


def test_a_host_is_reported_in_lower_case() -> None:
    """So that a person, and a list of hosts, can compare it."""
    link = check_link("HTTPS://Bank.Example/A")
    assert (link.url, link.host) == ("HTTPS://Bank.Example/A", "bank.example")


def test_punycode_is_told() -> None:
    """It is shown as it is, and warned about."""
    assert check_link("https://sca.xn--bnk-qla.example/").punycode is True
    assert check_link("https://sca.XN--bnk-qla.example/").punycode is True


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bank.example",
        "//bank.example/",
        "http://bank.example/",
        "ftp://bank.example/",
        "javascript:alert(1)//https://bank.example/",
        "https:bank.example",
        "https:/bank.example/",
        "https:///bank.example/",
        "https://",
        "https:///",
        "https://user@bank.example/",
        "https://user:pass@bank.example/",
        "https://evil.example\\@bank.example/",
        "https://bank.example\\.evil.example/",
        "https://bank.example/\\",
        "https://bank.example:8443/",
        "https://bank.example:0443/",
        "https://bank.example:/",
        "https://bank.example:443:443/",
        "https://bank/",
        "https://localhost/",
        "https://bank.localhost/",
        "https://sca.bank.localhost/",
        "https://bank.example./",
        "https://.bank.example/",
        "https://bank..example/",
        "https://-bank.example/",
        "https://bank-.example/",
        "https://ba_nk.example/",
        "https://ba%6ek.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 122 + "aa.example/",
        "https://" + "a." * 127 + "example/",
        "https://bánk.example/",
        "https://bank\u3002example/",
        "https://ban\u212a.example/",
        "https://bank.example/á",
        "https://bank.example/ ",
        " https://bank.example/",
        "https://bank.example/\n",
        "https://bank.example/a\tb",
        "https://bank.example/\x00",
        "https://bank.example/<b>",
        'https://bank.example/"',
        "https://bank.example/'",
        "https://bank.example/`",
        "https://bank.example/[a](b)",
        "https://bank.example/{a}",
        "https://bank.example/a|b",
        "https://bank.example/a^b",
        "https://bank.example/%",
        "https://bank.example/%zz",
        "https://bank.example/#a#b",
        "https://bank.example/\ufffd",
        "https://bank.example/" + chr(0xD800),
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.01/",
        "https://1.2.3/",
        "https://bank.0x7f/",
        "https://bank.0x/",
        "https://bank.1/",
        "http://127.0.0.1/",
        "http://localhost:8000/",
    ],
)
def test_anything_else_is_refused_without_repeating_it(url: str) -> None:
    """Where a person identifies themselves must be beyond doubt."""
    with pytest.raises(LinkRefused) as caught:
        check_link(url)
    assert caught.value.reason.startswith("the link")
    assert [part for part in ("bank", "evil", "7f") if part in caught.value.reason] == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://bank.example/".ljust(2049, "a"), "the link is too long"),
        ("http://bank.example/", "the link is not a plain https address"),
        ("https://bank.example:8443/", "the link names another port than 443"),
        ("https://bank/", "the link's host is not a full DNS name"),
        ("https://bank.1/", "the link's host is an IP address"),
        ("https://other.example/", "the link's host is not one of the allowed hosts"),
    ],
    ids=["length", "grammar", "port", "name", "address", "list"],
)
def test_a_refusal_says_which_rule_it_was(url: str, reason: str) -> None:
    """The reason is all that anybody learns of a link that is not shown."""
    with pytest.raises(LinkRefused) as caught:
        check_link(url, allowed_hosts=("bank.example",))
    assert (caught.value.reason, str(caught.value)) == (reason, reason)


def test_a_link_has_at_most_2048_characters() -> None:
    """The bound of the link rules."""
    longest = "https://bank.example/".ljust(2048, "a")
    assert check_link(longest).url == longest
    with pytest.raises(LinkRefused):
        check_link(longest + "a")


@pytest.mark.parametrize("host", ["bank.example", "sca.bank.example", "a.b.bank.example", "SCA.BANK.EXAMPLE"])
def test_an_allowed_host_covers_its_subdomains(host: str) -> None:
    """BLIKK_SCA_HOSTS names hosts, subdomains included."""
    assert check_link(f"https://{host}/", allowed_hosts=("other.example", "Bank.example")).host == host.lower()


@pytest.mark.parametrize(
    "host",
    ["evilbank.example", "bank.example.evil.example", "example", "bank.examples.is", "xn--bank.example.is"],
)
def test_what_only_looks_like_an_allowed_host_is_refused(host: str) -> None:
    """Compared whole or as a subdomain; `contains` and `startswith` fooled others."""
    with pytest.raises(LinkRefused):
        check_link(f"https://{host}/", allowed_hosts=("bank.example",))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8123/bank/1", "127.0.0.1"),
        ("http://localhost/bank", "localhost"),
        ("http://LOCALHOST:65535", "localhost"),
        ("http://localhost:1/", "localhost"),
        ("http://[::1]:9/x?y#z", "[::1]"),
    ],
)
def test_the_sandbox_on_this_machine_may_use_plain_http(url: str, host: str) -> None:
    """Only while the base URL is loopback itself, and then whatever BLIKK_SCA_HOSTS says."""
    assert check_link(url, allowed_hosts=("bank.example",), allow_loopback_http=True) == Link(url, host, False)
    with pytest.raises(LinkRefused):
        check_link(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://localhost:80@evil.example/",
        "http://localhost:65536/",
        "http://localhost:99999/",
        "http://localhost:0/",
        "http://localhost:/",
        "http://localho\u017ft/",
        "http://127.1/",
        "http://127.0.0.2/",
        "http://bank.example/",
        "https://localhost/",
    ],
)
def test_the_sandbox_exception_is_for_this_machine_only(url: str) -> None:
    """Nothing else becomes allowed by it."""
    with pytest.raises(LinkRefused):
        check_link(url, allow_loopback_http=True)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://127.0.0.1:8080/paymentchannel", True),
        ("http://localhost", True),
        ("HTTP://LOCALHOST/x", True),
        ("https://[::1]/x", True),
        ("https://api.blikk.tech/paymentchannel", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("http://localho\u017ft/", False),
    ],
)
def test_loopback_is_recognised_by_the_whole_host(base_url: str, expected: bool) -> None:
    """What is allowed on loopback must not be allowed by looking like it."""
    assert is_loopback(base_url) is expected


PIECES = st.sampled_from(
    [
        *("https", "http", ":", "/", "//", "@", "\\", ".", "bank", "example", "evil", "[", "]", "::1"),
        *("127.0.0.1", "0x7f", "?", "#", "%2e", "%"),
        *(":443", ":80", " ", "\t", "xn--a", "localhost", "-", "á", "\u3002", "https://bank.example"),
    ]
)


@given(
    st.one_of(
        st.lists(PIECES, max_size=8).map("".join),
        st.text(max_size=40).map(BANK.__add__),
        st.text(max_size=60),
    )
)
@example("https://evil.example\\@bank.example/")
def test_every_parser_agrees_about_a_link_that_passes(url: str) -> None:
    """No reader of the link may see another host than the one that was checked."""
    try:
        link = check_link(url)
    except LinkRefused:
        return
    parts = urlsplit(link.url)
    assert_fields(parts, scheme="https", hostname=link.host, username=None, password=None)
    assert parts.port in (None, 443)
    assert url.isascii()
    assert url.isprintable()
    assert not set(url) & set(" \"'<>`\\{}|^")
