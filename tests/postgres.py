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

from tests.missing import unavailable

SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "16MB",
    "max_connections": "300",
    "autovacuum": "off",
    "fsync": "on",
}
START_SECONDS = 30


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`: a named one, or Debian's newest."""
    named = os.environ.get("BLIKK_TEST_POSTGRES")
    if named:
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else unavailable("there is no PostgreSQL server here: apt install postgresql")


class PostgresServer:
    """A server with its files in a folder; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Make the files of an empty server."""
        command = [str(self._programs / "initdb"), "--no-sync", "--auth=trust", "-U", "blikk", "-D", str(self._data)]
        subprocess.run([*command, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **_as_nobody())
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
            **_as_nobody(),
        )

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        command = [str(self._programs / "pg_ctl"), "-D", str(self._data), "-m", "immediate", "-w", "stop"]
        subprocess.run(command, check=False, capture_output=True, **_as_nobody())

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

    def database(self) -> str:
        """A new empty database, as a connection string."""
        name = f"ledger_{secrets.token_hex(6)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, name: str) -> str:
        """The connection string of a database."""
        return f"postgresql://blikk@/{name}?host={self._folder}"

    def sql(self, database: str, statement: str) -> None:
        """Run a statement by the operator's own tool."""
        command = [str(self._programs / "psql"), "-h", str(self._folder), "-U", "blikk", "-d", database, "-qc", statement]
        subprocess.run(command, check=True, capture_output=True)

    def _family(self) -> list[int]:
        parent = self.pid()
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
        return [parent, *map(int, children)]


def _as_nobody() -> dict[str, int]:
    """PostgreSQL refuses to run as root; the files are then nobody's."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    """A running server in a short path of its own: a socket's path has 107 bytes at most."""
    programs = postgres_programs()
    folder = Path(tempfile.mkdtemp(prefix="blikk-pg-"))
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
