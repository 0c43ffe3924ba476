"""Support: a PostgreSQL server of the tests' own, on a Unix socket in a temporary folder. Any user may run it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import psycopg
from psycopg import sql

from tests.missing import unavailable

SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "16MB",
    "max_connections": "300",
    "autovacuum": "off",
    "fsync": "on",
}
START_SECONDS = 30
MEMORY = Path("/dev/shm")
LEAST_MEMORY_BYTES = 1_000_000_000


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`: a named one, or Debian's newest, or where the shell finds them."""
    named = os.environ.get("BLIKK_TEST_POSTGRES")
    if named:
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    elsewhere = shutil.which("postgres")
    if elsewhere:
        found.insert(0, Path(elsewhere).resolve())
    return found[-1].parent if found else unavailable("there is no PostgreSQL server here: apt install postgresql")


class PostgresServer:
    """A server with its files in a folder; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return f"{self._folder}/.s.PGSQL.5432"

    def initialise(self) -> None:
        """Make the files of an empty server."""
        command = [str(self._programs / "initdb"), "--no-sync", "--auth=trust", "-U", "blikk", "-D", str(self._data)]
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            user=nobody(),
            group=nobody(),
        )
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
            file.write(f"unix_socket_directories = '{self._folder}'\n")

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        command = [str(self._programs / "pg_ctl"), "-D", str(self._data), "-w", "-t", str(START_SECONDS)]
        log = self._folder / "log"
        subprocess.run(
            [*command, "-l", str(log), "start"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=nobody(),
            group=nobody(),
        )

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        command = [str(self._programs / "pg_ctl"), "-D", str(self._data), "-m", "immediate", "-w", "stop"]
        subprocess.run(command, check=False, capture_output=True, user=nobody(), group=nobody())

    def copy_files(self) -> Path:
        """A copy of the files of a server that is stopped: what its operator backs up."""
        copy = self._folder / "copy"
        # With their owner.
        subprocess.run(["cp", "-a", str(self._data), str(copy)], check=True)
        return copy

    def put_back(self, copy: Path) -> None:
        """Put a copy in the place of the files of a server that is stopped."""
        shutil.rmtree(self._data)
        copy.rename(self._data)

    def become_standby(self) -> None:
        """Make one that is stopped start as a standby: it answers reads and waits for a primary."""
        (self._data / "standby.signal").touch()

    def pid(self) -> int:
        """The server's main process."""
        return int((self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])

    def pause(self) -> None:
        """Stop its main process and its children, as a machine that hangs does."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    @property
    def address(self) -> str:
        """The server's address; see `ledger_at`."""
        return f"postgresql://blikk@/postgres?host={self._folder}"

    def database(self) -> str:
        """The address of a new empty ledger."""
        return ledger_at(self.address)

    def _family(self) -> list[int]:
        parent = self.pid()
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
        return [parent, *map(int, children)]


def over_loopback(address: str, port: int) -> str:
    """The ledger at this address on a socket, over a loopback port that leads to the socket."""
    parts = urlsplit(address)
    options = next(value for name, value in parse_qsl(parts.query) if name == "options")
    return f"postgresql://blikk@127.0.0.1:{port}{parts.path}?options={quote(options)}"


def ledger_at(address: str) -> str:
    """The address of a new empty ledger at a server: a schema of its own, made a hundred times as fast as a database."""
    name = f"ledger_{secrets.token_hex(6)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    return f"{address}&options=-csearch_path%3D{name}"


def nobody() -> int | None:
    """Whose the server's process is: PostgreSQL refuses to run as root. None where this is not root already."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    """A running server in a short path of its own: a socket's path has 107 bytes at most."""
    programs = postgres_programs()
    # Where waiting for the disk, which the ledger insists on, takes no time.
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > LEAST_MEMORY_BYTES
    folder = Path(tempfile.mkdtemp(prefix="blikk-pg-", dir=MEMORY if in_memory else None))
    server = PostgresServer(programs, folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
