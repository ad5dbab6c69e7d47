import sqlite3
import time

from proofgrad.verifiers import ProblemError, Verdict

READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class SqlVerifier:
    """A query passes when it returns the expected rows from the database that the problem's script makes."""

    name, version = "sql", f"1+sqlite-{sqlite3.sqlite_version}"

    def __init__(self, timeout_s: float = 2.0) -> None:
        self.timeout_s = timeout_s

    def verify(self, problem, candidate):
        database = sqlite3.connect(":memory:")
        try:
            expected = [tuple(row) for row in problem["rows"]]
            database.executescript(problem["script"])
        except (KeyError, TypeError, ValueError, sqlite3.Error) as error:
            raise ProblemError(f"sql problem: 'script' and 'rows' must make a database: {error!r}") from error
        ends = time.monotonic() + self.timeout_s
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
        database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READS else sqlite3.SQLITE_DENY)
        database.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
        try:
            found = database.execute(candidate).fetchmany(len(expected) + 1)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            reason = "sql.timeout" if time.monotonic() > ends else "sql.error"
            return Verdict.failed(reason, feedback=f"The query failed: {str(error)!a}.")
        if found != expected:
            return Verdict.failed("sql.wrong_rows", feedback="The query does not return the right rows.")
        return Verdict.passed("sql.ok", evidence={"rows": len(found)})
