"""What surrounds the process: the working directory, variables, files and folders that somebody else prepared."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import certifi
import pytest

from blikk_payments.channel.proxies import proxy_name
from tests.payments.loopback import Loopback, free_port, http, loopback
from tests.payments.tls import own_certificate
from tests.security import planted
from tests.security.callers import CONSOLE_SCRIPT, MODULE, Place, ended, started
from tests.security.canaries import KEY, KEY_OF_FILE
from tests.security.echoing import EchoingBlikk
from tests.security.tours import payment, settings
from tests.server import canary
from tests.server.running import call, connected

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MODULES = (
    *("tools", "blikk_tools", "blikk_payments", "blikk_sandbox", "mcp", "mcp_types", "httpx", "httpcore", "anyio"),
    *("pydantic", "sqlite3", "ssl", "json", "logging", "argparse", "encodings", "sitecustomize", "usercustomize"),
)
"""What a workspace could hold by the name of something that the process imports."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Folders of the test's own."""
    return Place(tmp_path)


def set_traps(place: Place) -> dict[str, str]:
    """Fill the working directory, and give an environment; whatever is loaded from there leaves a mark."""
    environ = place.environment()
    marks = place.root / "marks"
    marks.mkdir()
    trap = f"import os; os.close(os.open({str(marks)!r} + '/' + __name__, os.O_CREAT | os.O_WRONLY))\n"
    for name in MODULES:
        (place.cwd / f"{name}.py").write_text(trap)
    (place.cwd / "blikk_mcp").mkdir()
    for name in ("__init__", "cli", "__main__"):
        (place.cwd / "blikk_mcp" / f"{name}.py").write_text(trap)
    for name in (".env", ".envrc", "blikk.env"):
        (place.cwd / name).write_text(f"BLIKK_BASE_URL=https://evil.example\nBLIKK_API_KEY={KEY_OF_FILE}\n")
    (place.cwd / "pyvenv.cfg").write_text("home = /nowhere\n")
    (place.cwd / "trap.pth").write_text(trap)
    return environ


def marks(place: Place) -> list[str]:
    """Which traps were loaded."""
    return sorted(path.name for path in (place.root / "marks").iterdir())


async def pay(
    place: Place, environ: dict[str, str], command: Sequence[str] = MODULE, *arguments: str
) -> dict[str, Any]:
    """One payment through the real process."""
    async with started(place, environ, *arguments, command=command) as caller:
        await caller.initialize()
        result = await caller.call("create_payment", payment(1))
        assert await caller.hang_up() == 0
    return result


# The working directory ----------------------------------------------------------------------------------------------


async def test_a_hostile_working_directory_changes_nothing(place: Place) -> None:
    """Started by the console script, nothing is loaded from the workspace in the process that holds the key."""
    environ = set_traps(place)
    async with loopback(EchoingBlikk()) as blikk:
        environ |= settings(blikk.base_url)
        result = await pay(place, environ, CONSOLE_SCRIPT)
        assert (result["outcome"], result["error_code"]) == ("needs_human", "")
        assert [request.header("Api-Key") for request in blikk.requests] == [[KEY]]
    for arguments in (("--version",), ("ledger", "verify"), ("config", "other"), ("doctor",)):
        done = await ended(place, environ, *arguments, command=CONSOLE_SCRIPT)
        assert done.returncode == (1 if arguments == ("doctor",) else 0)
    assert marks(place) == []


async def test_a_hostile_working_directory_changes_nothing_for_the_processes_that_are_started(place: Place) -> None:
    """The demo starts the server in a process of its own, and a workspace is no place to load that from."""
    environ = set_traps(place)
    done = await ended(place, environ, "demo", command=CONSOLE_SCRIPT)
    assert marks(place) == []
    assert done.returncode == 0


async def test_python_m_loads_from_the_working_directory_and_python_p_m_does_not(place: Place) -> None:
    """Python's own rule, written down here: `python -m` puts the working directory first; `-P` leaves it out."""
    environ = set_traps(place)
    (place.cwd / "encodings.py").unlink()
    unsafe = await ended(place, environ, "--version", command=MODULE)
    assert marks(place) != []
    assert b"blikk-mcp 0" not in unsafe.stdout
    for mark in (place.root / "marks").iterdir():
        mark.unlink()
    safe = await ended(place, environ, "--version", command=(sys.executable, "-P", *MODULE[1:]))
    assert safe.stdout.startswith(b"blikk-mcp ")
    assert marks(place) == []


# Environment variables ----------------------------------------------------------------------------------------------


async def test_the_doctor_names_a_proxy_without_its_password_and_a_report_does_not_name_it(place: Place) -> None:
    """A proxy is named in `doctor`; what goes into a support ticket says only that there is one."""
    async with loopback(http(403), http(403), http(403), http(403)) as proxy:
        where = f"127.0.0.1:{proxy.port}"
        environ = place.environment(
            BLIKK_API_KEY=KEY,
            HTTPS_PROXY=f"http://somebody:{quote(KEY_OF_FILE, safe='')}@{where}",
            SSL_CERT_FILE=certifi.where(),
        )
        said, report = [(await ended(place, environ, "doctor", *more)).stdout for more in ((), ("--report",))]
    assert f"through the proxy {where}, " in said.decode()
    assert b"SSL_CERT_FILE decides which certificates" in said
    assert b"through a proxy, " in report
    assert where.encode() not in report
    for output in (said, report):
        assert b"somebody" not in output
        assert not canary.find(KEY_OF_FILE, output.decode())


@pytest.mark.parametrize(
    ("proxy", "name"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://user:pass@proxy.example", "proxy.example"),
        ("socks5://[::1]:1080/x?y", "::1:1080"),
        ("http://proxy.example:port", ""),
        ("http://[", ""),
        ("nonsense", ""),
    ],
)
def test_a_proxys_name_is_its_host_and_port_and_nothing_else(proxy: str, name: str) -> None:
    """The URL of a proxy can hold a password."""
    assert proxy_name(proxy) == name


async def test_on_loopback_neither_a_proxy_nor_missing_certificates_matter(place: Place) -> None:
    """Traffic that never leaves this machine is no business of a proxy, nor of the machine's certificates."""
    async with loopback(http(502)) as proxy, loopback(EchoingBlikk()) as blikk:
        somewhere = f"http://127.0.0.1:{proxy.port}"
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        environ = place.environment(
            **settings(blikk.base_url),
            **dict.fromkeys(names, somewhere),
            NO_PROXY="",
            SSL_CERT_FILE="/nowhere/at/all.pem",
            SSL_CERT_DIR="/nowhere/at/all",
            REQUESTS_CA_BUNDLE="/nowhere/at/all.pem",
            SSLKEYLOGFILE=str(place.root / "keys"),
            NETRC="/nowhere/at/all",
        )
        result = await pay(place, environ)
        assert result["error_code"] == ""
        assert len(blikk.requests) == 1
        assert proxy.connections == 0
    assert not (place.root / "keys").exists()


async def test_sslkeylogfile_is_told_nothing(place: Place) -> None:
    """Seen leaking: with SSLKEYLOGFILE Python writes down what decrypts the key on its way."""
    handshakes = 0

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    def greeted(*_: object) -> None:
        nonlocal handshakes
        handshakes += 1

    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(own_certificate(place.root))
    server_context.sni_callback = greeted
    server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    environ = place.environment(**settings(f"https://localhost:{port}/paymentchannel"))
    try:
        result = await pay(place, {**environ, "SSLKEYLOGFILE": str(place.root / "keys")})
        assert (result["error_code"], handshakes) == ("blikk_unavailable", 1)
        # What would have been written: the same handshake with a client that does what the variable says.
        talking = ssl.create_default_context()
        talking.keylog_filename = str(place.root / "control")
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("localhost", port, ssl=talking)
    finally:
        server.close()
        await server.wait_closed()
    assert b"SECRET" in (place.root / "control").read_bytes()
    assert not (place.root / "keys").exists()


async def test_a_child_process_is_not_given_the_key(place: Place) -> None:
    """The key leaves the environment once it is read."""
    environ = place.environment(**settings(f"http://127.0.0.1:{free_port()}"))
    async with started(place, environ, command=(sys.executable, planted.__file__, "child")) as caller:
        await caller.initialize()
        # The server itself, behind the door, is what could start one.
        await caller.call("get_payment_status", {"payment_id": "pay_1"})
        assert await caller.hang_up() == 0
    names = (place.root / "tmp" / "names").read_text().split()
    assert "BLIKK_BASE_URL" in names
    assert "BLIKK_API_KEY" not in names


async def test_core_dumps_are_off(place: Place) -> None:
    """A core dump holds the key; off for good, whatever the limit was."""
    raised = "import os, resource, sys; limit = resource.getrlimit(resource.RLIMIT_CORE)[1]"
    raised += "; resource.setrlimit(resource.RLIMIT_CORE, (limit, limit)); os.execv(sys.argv[1], sys.argv[1:])"
    environ = place.environment(**settings(f"http://127.0.0.1:{free_port()}"))
    async with started(place, environ, command=(sys.executable, "-c", raised, *MODULE)) as caller:
        await caller.initialize()
        limits = await anyio.Path(f"/proc/{caller.process.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]


# The ledger's folder and file ---------------------------------------------------------------------------------------


def open_folder(ledger: Path, mode: int) -> None:
    ledger.parent.mkdir(parents=True)
    ledger.parent.chmod(mode)


def as_link(ledger: Path) -> None:
    open_folder(ledger, 0o700)
    (ledger.parent / "real.sqlite3").touch(0o600)
    ledger.symlink_to(ledger.parent / "real.sqlite3")


def as_dangling_link(ledger: Path) -> None:
    open_folder(ledger, 0o700)
    ledger.symlink_to(ledger.parent / "not-yet.sqlite3")


def as_link_to_another_folder(ledger: Path) -> None:
    elsewhere = ledger.parents[1] / "elsewhere"
    elsewhere.mkdir(parents=True)
    elsewhere.chmod(0o777)
    ledger.parent.symlink_to(elsewhere, target_is_directory=True)


def as_folder(ledger: Path) -> None:
    open_folder(ledger, 0o700)
    ledger.mkdir()


def as_pipe(ledger: Path) -> None:
    open_folder(ledger, 0o700)
    os.mkfifo(ledger)


LEDGERS: dict[str, Callable[[Path], None]] = {
    "a folder that all can write": lambda ledger: open_folder(ledger, 0o777),
    "a folder like /tmp": lambda ledger: open_folder(ledger, 0o1777),
    "a folder that a group can write": lambda ledger: open_folder(ledger, 0o770),
    "a symbolic link": as_link,
    "a dangling symbolic link": as_dangling_link,
    "a link to a folder that all can write": as_link_to_another_folder,
    "a folder": as_folder,
    "a pipe": as_pipe,
}


@pytest.mark.parametrize("trick", LEDGERS)
async def test_a_ledger_that_others_could_swap_is_refused_and_nothing_is_sent(trick: str, place: Place) -> None:
    """Without a ledger that can be trusted there is no payment."""
    LEDGERS[trick](place.ledger)
    async with loopback(EchoingBlikk()) as blikk:
        environ = {**settings(blikk.base_url), "BLIKK_LEDGER": str(place.ledger)}
        with anyio.fail_after(10):
            async with connected(environ) as client:
                result = await call(client, "create_payment", payment(1))
        assert (result["outcome"], result["error_code"]) == ("refused", "ledger_unavailable")
        assert blikk.requests == []
    if "link" in trick:
        assert not list(place.root.rglob("*-wal"))


# The key file -------------------------------------------------------------------------------------------------------


async def with_key_file(place: Place, file: Path, blikk: Loopback) -> dict[str, Any]:
    """A payment's result, with the key in this file."""
    environ = {**settings(blikk.base_url), "BLIKK_LEDGER": str(place.ledger), "BLIKK_API_KEY_FILE": str(file)}
    del environ["BLIKK_API_KEY"]
    async with connected(environ) as client:
        return await call(client, "create_payment", payment(1))


async def test_a_key_file_may_be_a_link(place: Place) -> None:
    """Container platforms mount secrets as links to the file of the day."""
    (place.root / "real").write_text(f"{KEY}\n")
    (place.root / "key").symlink_to(place.root / "real")
    async with loopback(EchoingBlikk()) as blikk:
        assert (await with_key_file(place, place.root / "key", blikk))["error_code"] == ""
        assert blikk.requests[0].header("Api-Key") == [KEY]


@pytest.mark.parametrize("kind", ["missing", "a folder", "a dangling link", "a link in a circle", "empty", "binary"])
async def test_a_key_file_that_holds_no_key_is_a_setting_to_correct(kind: str, place: Place) -> None:
    """The server starts, every call says what to correct, and nothing is sent."""
    file = place.root / "key"
    match kind:
        case "a folder":
            file.mkdir()
        case "a dangling link":
            file.symlink_to(place.root / "nowhere")
        case "a link in a circle":
            file.symlink_to(file)
        case "empty":
            file.touch()
        case "binary":
            file.write_bytes(bytes(range(256)))
        case _:
            pass
    async with loopback(EchoingBlikk()) as blikk:
        result = await with_key_file(place, file, blikk)
        assert (result["outcome"], result["error_code"]) == ("refused", "not_configured")
        assert "BLIKK_API_KEY_FILE" in result["error_message"]
        assert blikk.requests == []


async def test_a_huge_key_file_is_not_read_to_its_end(place: Place) -> None:
    """Every read has a bound; a path to the wrong file, a disk image or /dev/zero, must not take the memory."""
    file = place.root / "key"
    with file.open("wb") as sparse:
        sparse.truncate(8 * 1024**3)
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 * 1024**3, 2 * 1024**3))"
    limited += "; os.execv(sys.argv[1], sys.argv[1:])"
    environ = place.environment(**settings(f"http://127.0.0.1:{free_port()}"), BLIKK_API_KEY_FILE=str(file))
    del environ["BLIKK_API_KEY"]
    done = await ended(place, environ, "doctor", command=(sys.executable, "-c", limited, *MODULE))
    assert b"BLIKK_API_KEY_FILE: " in done.stdout
    assert b"Traceback" not in done.stderr
