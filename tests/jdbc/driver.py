"""The Arrow Flight SQL JDBC driver in this process: fetched once by Maven, run by one JVM that starts when needed."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import jpype
import jpype.config

POM = Path(__file__).with_name("pom.xml")
JARS = Path(__file__).parents[2] / ".cache" / "jdbc"

_JVM_OPTIONS = (
    "--add-opens=java.base/java.nio=ALL-UNNAMED",  # the driver needs it
    "-Xrs",  # signals are Python's
    "-Xmx512m",
    "-Duser.timezone=UTC",  # java.sql.Timestamp and its like are local to the JVM's zone
)


def missing() -> str | None:
    """Why the driver cannot run on this machine; None when it can."""
    lacking = [program for program in ("java", "mvn") if shutil.which(program) is None]
    return f"no {' and no '.join(lacking)} on this machine" if lacking else None


def start_jvm() -> None:
    """Start the JVM with the driver, unless it runs. It ends with this process, without waiting for the driver."""
    if jpype.isJVMStarted():
        return
    jpype.config.destroy_jvm = False
    jpype.startJVM(*_JVM_OPTIONS, classpath=[str(_fetched())], convertStrings=True)
    java("java.util.logging.LogManager").getLogManager().reset()


def java(name: str) -> Any:
    """A Java class by its full name."""
    return jpype.JClass(name)


class Jdbc:
    """One JDBC connection. What it opens it closes: the driver refuses to close a connection with open results."""

    def __init__(self, uri: str, **properties: str) -> None:
        given = java("java.util.Properties")()
        for name, value in ({"useEncryption": "false"} | properties).items():
            given.setProperty(name, value)
        url = f"jdbc:arrow-flight-sql://{uri.rpartition('://')[2]}/"
        self.connection = java("java.sql.DriverManager").getConnection(url, given)
        self._opened: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()
        self.connection.close()

    def release(self) -> None:
        """Close every statement and result, the newest first."""
        while self._opened:
            self._opened.pop().close()

    @property
    def metadata(self) -> Any:
        """DatabaseMetaData."""
        return self.connection.getMetaData()

    def keep(self, closeable: Any) -> Any:
        """Return a statement or a result, to be closed with the connection at the latest."""
        self._opened.append(closeable)
        return closeable

    def statement(self) -> Any:
        """A Statement."""
        return self.keep(self.connection.createStatement())

    def prepare(self, sql: str) -> Any:
        """A PreparedStatement."""
        return self.keep(self.connection.prepareStatement(sql))

    def run(self, sql: str) -> int:
        """Run an update; return how many rows it changed."""
        return self.statement().executeUpdate(sql)

    def query(self, sql: str) -> Any:
        """The ResultSet of a query."""
        return self.keep(self.statement().executeQuery(sql))

    def rows(self, sql: str, *getters: str) -> list[tuple[Any, ...]]:
        """The rows of a query, each value through its getter, or getObject."""
        return list(records(self.query(sql), *getters))

    def row(self, sql: str, *getters: str) -> tuple[Any, ...]:
        """The only row of a query."""
        (found,) = self.rows(sql, *getters)
        return found


def records(result: Any, *getters: str) -> Iterator[tuple[Any, ...]]:
    """The rows that are left in a ResultSet."""
    names = getters or ["getObject"] * result.getMetaData().getColumnCount()
    while result.next():
        yield tuple(getattr(result, name)(position) for position, name in enumerate(names, start=1))


def dicts(result: Any) -> list[dict[str, Any]]:
    """The rows that are left in a ResultSet, by column name."""
    described = result.getMetaData()
    names = [described.getColumnName(position) for position in range(1, described.getColumnCount() + 1)]
    return [dict(zip(names, row, strict=True)) for row in records(result)]


def failure(call: Callable[[], object]) -> str:
    """The message of the SQLException that a call fails with, behind it those of its causes."""
    try:
        call()
    except java("java.sql.SQLException") as error:
        return " <- ".join(_messages(error))
    raise AssertionError("it did not fail")


def _messages(error: Any) -> Iterator[str]:
    while error is not None:
        yield str(error.getMessage())
        error = error.getCause()


def byte_array(data: bytes) -> Any:
    """A byte[] with the data."""
    return jpype.JArray(jpype.JByte)(data)


def _fetched() -> Path:
    """The driver's jar; Maven copies it when it is not there yet."""
    if not (found := sorted(JARS.glob("*.jar"))):
        JARS.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=JARS.parent) as fresh:
            command = ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
            done = subprocess.run(
                [*command, f"-DoutputDirectory={fresh}"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"Maven could not fetch the driver: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            JARS.mkdir(exist_ok=True)
            for jar in Path(fresh).glob("*.jar"):
                jar.replace(JARS / jar.name)
        found = sorted(JARS.glob("*.jar"))
    (jar,) = found
    return jar
