"""The rules of the house, held by reading the source: which package may import which, and who may touch what.

Each message says what to do instead. The import direction is drawn in ARCHITECTURE.md.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.conftest import LONGEST, TESTS

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "bloom": set(),
    "catalog": set(),
    "manifest": {"catalog"},
    "providers": {"bloom", "catalog", "manifest"},
    "flush": {"bloom", "catalog", "manifest", "providers"},
    "flightserver": {"bloom", "catalog", "manifest", "providers", "flush"},
}
"""A package may import itself and these, and nothing else of ours."""

FENCES = {
    "rocksdict": {"catalog/keyvalue.py"},
    "pyarrow.flight": {"flightserver/transport/"},
    "pyarrow.parquet": {
        "flush/parquet_file.py",
        "flush/publish/checkpoint.py",
        "providers/cold/decoded.py",
        "providers/cold/rows.py",
        "providers/engine/relations.py",
        "flightserver/cli/",
    },
    "datafusion": {"providers/engine/", "providers/rows/defaults.py"},
    "argon2": {"flightserver/access/passwords.py"},
    "jwt": {"flightserver/access/issuer.py"},
    "sqlglot": {"flightserver/sql/literal_trees.py", "flightserver/cluster/translation/"},
    "pyspark": {"flightserver/cluster/connection.py"},
    "click": {"flightserver/__main__.py", "flightserver/cli/"},
    "adbc_driver_flightsql": {"flightserver/cli/", "flightserver/dialect/"},
    "sqlalchemy": {"flightserver/dialect/"},
    "flightserver.dialect": {"flightserver/dialect/"},
}
"""Libraries that only these files or folders know."""

FILE_SYSTEM = {"glob", "os", "pathlib", "shutil", "tempfile", "catalog.durable", "manifest.files"}
"""What knows the file system; of the cold tier, `ScopeFolder` alone does."""

FILE_SYSTEM_HOMES = {
    "providers/cold/scope_folder.py": FILE_SYSTEM,
    "providers/engine/relations.py": {"pathlib"},
    "providers/engine/session.py": {"os", "pathlib"},
    "providers/rows/uuids.py": {"os"},
}
"""Who knows it besides: for scratch files, the number of cores, random bytes."""

WITHOUT_FILES = {"manifest.files.checksum", "manifest.files.Unsynced"}

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}

SIBLINGS = {
    "flightserver.protocol": {"catalog"},
    "flightserver.sql": {"catalog"},
    "flightserver.dialect": {"catalog"},
    "flightserver.cluster": {"catalog", "providers"},
}
"""Sub-packages without I/O, which import nothing of ours but these."""


DOORKEEPERS = (
    "catalog/",
    "providers/",
    "flightserver/access/",
    "flightserver/database.py",
    "flightserver/cli/check.py",
    "flightserver/cli/rebuild.py",
)
"""Who may look into a registry: who keeps it, the door, and who works on a data folder that nobody is served from."""

EDGES = ("flightserver/__main__.py", "flightserver/cli/")
"""Who looks at the environment, for all others."""

LATE = {
    "flightserver/__main__.py": {"flightserver.app", "flightserver.configuration.sources"},
    "flightserver/app.py": {"flightserver.access.issuer"},
    "flightserver/execution/on_cluster.py": {"flightserver.cluster.translation.queries"},
    "flightserver/sql/defaults.py": {"flightserver.sql.literal_trees"},
}
"""What is imported when it is wanted: it brings megabytes that few servers need."""

LOOK_UPS = {"table", "table_of", "tables", "tables_in", "view", "views", "views_in", "first_in", "exists"}
"""What a registry finds."""


def sources() -> list[Path]:
    """Every module of ours, generated code left out."""
    found = [path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in found if "generated" not in path.parts)


def relative(path: Path) -> str:
    """A path as messages name it."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    """A module, read once for all rules."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def are_kept(broken: Iterable[str]) -> None:
    """Fail with every place that breaks a rule."""
    found = list(broken)
    assert not found, "\n".join(found)


def is_below(name: str, package: str) -> bool:
    """Tell whether a module is a package, or in it."""
    return name == package or name.startswith(f"{package}.")


def test_a_package_imports_only_what_lies_below_it() -> None:
    """Imports run one way: bloom, catalog <- manifest <- providers <- flush <- flightserver."""
    are_kept(
        f"{relative(path)} must not import {name}: move the shared part down"
        for path in sources()
        for name in imports(path)
        if (package := name.split(".")[0]) in MAY_IMPORT
        and package not in MAY_IMPORT[path.relative_to(ROOT).parts[0]] | {path.relative_to(ROOT).parts[0]}
    )


def test_pure_sub_packages_stay_pure() -> None:
    """Protocol and SQL are text and bytes in, values out."""
    are_kept(
        f"{relative(path)} must not import {name}: {pure} does no work beside its own"
        for pure, allowed in SIBLINGS.items()
        for path in sources()
        if is_below(module_name(path), pure)
        for name in imports(path)
        if name.split(".")[0] in MAY_IMPORT and not is_below(name, pure) and name.split(".")[0] not in allowed
    )


def test_libraries_stay_behind_their_fence() -> None:
    """A library that shapes its callers is known in one place."""
    are_kept(
        f"{relative(path)} must not import {library}; it belongs to {sorted(homes)}"
        for path in sources()
        for library, homes in FENCES.items()
        if any(is_below(name, library) for name in imports(path))
        and not any(relative(path).startswith(home) for home in homes)
    )


def test_names_lead_to_tables_through_the_door() -> None:
    """Whether a statement finds a table or a view is decided in one place, for every path."""
    are_kept(
        f"{relative(path)}:{node.lineno} must ask Context.table or Context.door, not registry.{node.attr}"
        for path in sources()
        if not relative(path).startswith(DOORKEEPERS)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in LOOK_UPS and _is_registry(node.value)
    )


def _is_registry(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "registry") or (
        isinstance(node, ast.Attribute) and node.attr == "registry"
    )


def test_cold_files_are_reached_through_their_folder() -> None:
    """Jobs and readers name a scope's files and never touch the file system, so that a folder may lie elsewhere."""
    are_kept(
        f"{relative(path)} must not import {name}: ask the scope's ScopeFolder"
        for path in sources()
        if path.relative_to(ROOT).parts[0] in {"providers", "flush"}
        for name in imports(path) - {"manifest.files", *WITHOUT_FILES}
        if any(is_below(name, one) for one in FILE_SYSTEM - FILE_SYSTEM_HOMES.get(relative(path), set()))
    )


def test_settings_come_from_their_maker() -> None:
    """No module looks into a file, the environment or a global for a setting: it is given what it needs.

    Variables may be set for libraries, which read them by themselves.
    """
    are_kept(
        f"{relative(path)}:{line} must be given its settings, not {what}"
        for path in sources()
        for line, what in _looked_up(path)
        if not relative(path).startswith(EDGES)
    )
    are_kept(
        f"{relative(path)} must not import tomllib: only configuration/sources.py reads settings from a file"
        for path in sources()
        if "tomllib" in imports(path) and relative(path) != "flightserver/configuration/sources.py"
    )


def _looked_up(path: Path) -> Iterator[tuple[int, str]]:
    """Where a module reads the environment, or has a variable for all."""
    written = {id(node.value) for node in ast.walk(parsed(path)) if _is_assigned(node)}
    for node in ast.walk(parsed(path)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv", "environb"}
            and id(node) not in written
        ):
            yield node.lineno, f"os.{node.attr}"
        if isinstance(node, ast.Global):
            yield node.lineno, "a global"
    for name in imports(path) & {"os.environ", "os.getenv"}:
        yield 1, name


def _is_assigned(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)


def test_there_are_no_import_cycles() -> None:
    """Modules can be loaded and understood in one order."""
    names = {module_name(path): path for path in sources()}
    graph = {name: {found for found in imports(path) if found in names} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join([*trail, name])}"
        if name not in done:
            for needed in graph[name] - {name}:
                visit(needed, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_imports_stand_at_the_top() -> None:
    """No import hides in a function, but of what is on the list."""
    are_kept(
        f"{relative(path)}:{inner.lineno} imports inside a function"
        for path in sources()
        for node in functions(path)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import)
        or (isinstance(inner, ast.ImportFrom) and inner.module not in LATE.get(relative(path), ()))
    )


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, wherever in it."""
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_names_say_what_a_module_is() -> None:
    """No drawer for odds and ends."""
    are_kept(f"{relative(path)} is a drawer; name the concept" for path in sources() if path.stem in BANNED_NAMES)


def test_modules_have_docstrings() -> None:
    """A module says what it is for."""
    are_kept(
        f"{relative(path)} needs a module docstring"
        for path in [*sources(), *specifications()]
        if not ast.get_docstring(parsed(path)) and (path.stem != "__init__" or parsed(path).body)
    )


def test_tests_have_docstrings() -> None:
    """A test says which fact it holds."""
    are_kept(
        f"{relative(path)}:{node.lineno} {node.name} needs one sentence"
        for path in specifications()
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    )


def specifications() -> list[Path]:
    """Every module of tests."""
    return sorted((ROOT / "tests").rglob("test_*.py"))


def test_the_longest_tests_are_there() -> None:
    """Files that are to come first have not moved."""
    are_kept(f"tests/{name} is not there" for name in LONGEST if not (TESTS / name).exists())


def test_links_in_pages_lead_somewhere() -> None:
    """A relative link names a file that exists."""
    pages = [page for page in ROOT.rglob("*.md") if not {".venv", "node_modules", ".git"} & set(page.parts)]
    are_kept(
        f"{relative(page)} links to {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    )
