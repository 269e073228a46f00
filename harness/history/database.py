"""The history file itself: opened, checked, brought up to date.

Nothing is written before the file is known to be ours. A file that is damaged, of a newer harness
or of another program is refused and never touched.

Ref: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_user_version
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.errors import LabError, UsageError
from harness.files import make_folder, storage_errors

APPLICATION_ID = 0x484C5048  # "HLPH"; tells our file from any other SQLite file
_STORAGE = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}
BUSY_S = 60.0  # how long a writer waits for the others

# One script a version; user_version counts how many a file has had. Never edit one: add one.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE run (
      id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
      night TEXT NOT NULL, folder TEXT NOT NULL, git_sha TEXT NOT NULL, git_dirty INTEGER NOT NULL,
      harness_version TEXT NOT NULL, UNIQUE (run_id, started)
    );
    CREATE TABLE result (
      run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
      board TEXT NOT NULL, board_kind TEXT NOT NULL, dataset TEXT NOT NULL, model TEXT NOT NULL,
      preset TEXT NOT NULL, seed INTEGER NOT NULL, optimise TEXT NOT NULL,
      windows_asked TEXT NOT NULL, compand INTEGER NOT NULL, device TEXT NOT NULL,
      overrides TEXT NOT NULL, other TEXT NOT NULL, board_id TEXT NOT NULL,
      status TEXT, message TEXT, timing_source TEXT, mcu TEXT, compiler TEXT, compiler_flags TEXT,
      model_sha256 TEXT, elf_sha256 TEXT, firmware_id TEXT,
      clock_hz INTEGER, windows INTEGER, mismatches INTEGER, model_flash_bytes INTEGER,
      table_flash_bytes INTEGER, flash_bytes INTEGER, ram_static_bytes INTEGER,
      stack_peak_bytes INTEGER, test_windows INTEGER,
      cycles_median REAL, cycles_p95 REAL, cycles_max REAL, cycles_lo REAL, cycles_hi REAL,
      latency_ms REAL, accuracy_float REAL, accuracy_host REAL, accuracy_board REAL,
      accuracy_host_test REAL,
      row_json TEXT NOT NULL,
      PRIMARY KEY (run, board, board_kind, board_id, dataset, model)
    ) WITHOUT ROWID;
    CREATE INDEX result_by_cell ON result (board, board_kind, dataset, model);
    CREATE VIEW history AS
      SELECT run.run_id, run.started, run.finished, run.night, run.folder, run.git_sha,
             run.git_dirty, run.harness_version, result.*
      FROM run JOIN result ON result.run = run.id
      ORDER BY run.started, run.id;
    """,
)


@contextmanager
def opened(file: Path, *, create: bool) -> Iterator[sqlite3.Connection]:
    """The database, checked and at the newest version; errors speak of the file.

    Nothing is written before the file is known to be ours. Only `create` may make a file.
    """
    if create:
        with storage_errors(file):
            make_folder(file.parent)
    with _errors_name(file), closing(_connect(file, create)) as database:
        _refuse_foreign(database, file)
        if create:
            _use_wal(database)
        if _version(database) < len(MIGRATIONS):
            with transaction(database):
                _migrate(database, file)
        if create and database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check found damaged pages")
        yield database


def _connect(file: Path, create: bool) -> sqlite3.Connection:
    mode = "rwc" if create else "rw"
    uri = f"{file.resolve().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _refuse_foreign(database: sqlite3.Connection, file: Path) -> None:
    """UsageError for another program's file, or one of a newer harness."""
    mark = int(database.execute("PRAGMA application_id").fetchone()[0])
    tables = int(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    version = _version(database)
    if mark != APPLICATION_ID and (mark or tables or version):
        raise UsageError(
            f"{file}: an SQLite file of another program", hint="give another name with --db"
        )
    if version > len(MIGRATIONS):
        raise UsageError(
            f"{file}: version {version}, this harness knows up to {len(MIGRATIONS)}",
            hint="update the harness, or start a new history with --db",
        )


def _migrate(database: sqlite3.Connection, file: Path) -> None:
    """Inside a transaction that holds the write lock: another process may have been first."""
    _refuse_foreign(database, file)
    for script in MIGRATIONS[_version(database) :]:
        for statement in script.split(";"):
            database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _use_wal(database: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite does not wait by itself when others do so too.

    Where the file system cannot (some network ones), the old journal stays: slower, as safe.
    """
    until = time.monotonic() + BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing; takes the write lock at once, so that it cannot be lost."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # SQLite itself rolls back when the disk is full
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextmanager
def _errors_name(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        number = _STORAGE.get(error.sqlite_errorcode & 0xFF)  # without SQLite's details
        if number is not None:
            with storage_errors(file):
                raise OSError(number, str(error)) from error
        raise LabError(
            f"{file}: history: {error}",
            hint="another process holds it, or the folder cannot be written; try again later",
        ) from error
    except sqlite3.DatabaseError as error:
        raise LabError(
            f"{file}: history is damaged: {error}",
            hint="it is left as it is: move it away, then `harness history --add results/*-*`",
        ) from error
