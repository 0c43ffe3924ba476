"""Say where the ledger is, from the setting that names it or from the base URL. Loads nothing slow."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes, urlencode, urlsplit

from blikk_payments.channel.links import is_loopback
from blikk_payments.system.folders import from_home

POSTGRES_SCHEMES = frozenset({"postgresql", "postgres"})
DRIVER = ("psycopg", "psycopg_pool")
INSTALL = "needs PostgreSQL's driver: run `pip install 'blikk-mcp[postgres]'`"

VERIFIED = "verify-full"
TAKEN = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "options", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation", "channel_binding", "require_auth"),
    }
)
"""What an address may have after its `?`. A service file, for one, could name another host behind our back."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_WRITTEN_OUT = re.compile(r"[!-~]+")
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}")


def is_postgres(text: str) -> bool:
    """Whether a setting's text is meant as the address of a PostgreSQL database."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in POSTGRES_SCHEMES


def ledger_address(text: str) -> str:
    """The address of a PostgreSQL ledger, which leaves nothing to the environment that decides who listens.

    To another machine the connection is encrypted, and the certificate and its name are checked.

    Raises:
        ValueError: the driver is not installed, or the address is no such one; the text holds nothing of it.
    """
    if any(find_spec(name) is None for name in DRIVER):
        raise ValueError(INSTALL)
    # Two readers of one address must agree where its host is: ours and the driver's differ on these.
    if not _WRITTEN_OUT.fullmatch(text) or "#" in text or text.count("@") > 1 or "@" in text.partition("?")[2]:
        raise ValueError("has spaces, `#`, `@` or other characters that must be percent-encoded there")
    # The driver's complaint about these repeats what is around them: a password, mostly.
    if _NOT_ENCODED.search(text) or not _is_utf8(text):
        raise ValueError("has a `%` that encodes no character: a `%` that means itself is written %25")
    try:
        parts = urlsplit(text)
        _ = parts.hostname
    except ValueError:
        raise ValueError("is no address like postgresql://user@host/database") from None
    pairs = _pairs(parts.query)
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= TAKEN:
        raise ValueError(f"may have each of these once after its `?`, and nothing else: {', '.join(sorted(TAKEN))}")
    authority = parts.netloc.rpartition("@")[2]
    hosts = _hosts(given.get("host") or unquote(authority))
    hosts += [host for host in given.get("hostaddr", "").split(",") if host]
    # What is set here is not taken from PGHOST and its like. No host at all is the socket of this machine.
    given.setdefault("hostaddr", "")
    if not authority:
        given.setdefault("host", "")
    if not all(map(_is_here, hosts)):
        if given.setdefault("sslmode", VERIFIED) != VERIFIED:
            raise ValueError(
                f"must have sslmode={VERIFIED}: a ledger on another machine is reached encrypted and checked"
            )
        given.setdefault("sslrootcert", "system")
        given["gssencmode"] = "disable"
    return f"postgresql://{parts.netloc}{parts.path}?{urlencode(given, quote_via=quote)}"


def password_in(text: str) -> str:
    """The password that an address holds, `""` if it holds none. For redaction: it takes whatever text."""
    if not is_postgres(text):
        return ""
    authority, _, query = text.partition("://")[2].partition("?")
    user, at, _ = authority.rpartition("@")
    asked = [value for name, value in _pairs(query) if name == "password"]
    return asked[0] if asked else unquote(user.partition(":")[2]) if at else ""


def _pairs(query: str) -> list[tuple[str, str]]:
    """The names and values of a query. A `+` is one: the driver takes it for no space."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in parts]


def _is_utf8(text: str) -> bool:
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False
    return True


def _hosts(text: str) -> list[str]:
    """The hosts of `one:5432,two`; an IPv6 address is in brackets there, and a socket is a folder."""
    found = (re.sub(r":[0-9]*$", "", host) if "[" in host or host.count(":") == 1 else host for host in text.split(","))
    return [host.strip("[]") for host in found if host]


def _is_here(host: str) -> bool:
    """Whether a host is this machine: a socket's folder (or abstract name), or loopback."""
    return host.startswith(("/", "@")) or host.lower() in ("localhost", "::1") or bool(_LOOPBACK.fullmatch(host))


def ledger_file(text: str) -> Path:
    """The file that a setting names: one and the same in whatever folder a process was started.

    Raises:
        ValueError: it does not name one, for the person who set it.
    """
    path = from_home(text) if text.startswith("~") else Path(text)
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or one from `~`: every process has to find the same ledger")
    if path.name in ("", ".."):
        raise ValueError("must name a file")
    return path


def default_ledger_path(base_url: str, state_home: Path, earlier: Path | None = None) -> Path:
    """One file per base URL, so that sandbox and production never mix. One that is in an earlier place stays there."""
    host = urlsplit(base_url.strip()).hostname or ""
    readable = re.sub(r"[^a-z0-9.-]+", "-", host) or "host"
    short = hashlib.sha256(_normalised(base_url).encode()).hexdigest()[:8]
    within = Path("blikk-mcp") / f"ledger-{readable}-{short}.sqlite3"
    return earlier / within if earlier and (earlier / within).exists() else state_home / within


def environment_key(base_url: str) -> str:
    """Key of the Blikk environment that a base URL leads to; a ledger accepts only one.

    All of this machine is one: a sandbox has another port every time.
    """
    return "loopback" if is_loopback(base_url.strip()) else _normalised(base_url)


def _normalised(base_url: str) -> str:
    parts = urlsplit(base_url.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
    return f"{scheme}://{host}:{port}{parts.path.rstrip('/')}"
