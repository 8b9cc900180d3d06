"""The rules of the house, held by reading the source: which package may import which, and who may touch what.

Each message says what to do instead. The import direction is drawn in ARCHITECTURE.md.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
        "flush/batch_writer.py",
        "providers/cold/decoded.py",
        "providers/cold/rows.py",
        "providers/engine/relations.py",
        "flightserver/cli/",
    },
    "datafusion": {"providers/engine/", "providers/rows/defaults.py"},
    "sqlglot": {"catalog/types.py", "flightserver/sql/"},
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
}
"""Sub-packages without I/O, which import nothing of ours but these."""


DOORKEEPERS = (
    "catalog/",
    "providers/",
    "flightserver/access/",
    "flightserver/database.py",
    "flightserver/cli/rebuild.py",
)
"""Who may look into a registry: who keeps it, the door, and who works on a data folder that nobody is served from."""

LOOK_UPS = {"table", "table_of", "tables", "tables_in", "view", "views", "views_in", "first_in", "exists"}
"""What a registry finds."""


def sources() -> list[Path]:
    """Every module of ours, generated code left out."""
    found = [path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in found if "generated" not in path.parts)


def module_name(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_package_imports_only_what_lies_below_it(path: Path) -> None:
    """Imports run one way: bloom, catalog <- manifest <- providers <- flush <- flightserver."""
    package = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[package] | {package}
    wrong = {name for name in imports(path) if name.split(".")[0] in MAY_IMPORT and name.split(".")[0] not in allowed}
    assert not wrong, f"{path.name} must not import {wrong}: move the shared part down"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_pure_sub_packages_stay_pure(path: Path) -> None:
    """Protocol and SQL are text and bytes in, values out."""
    for prefix, allowed in SIBLINGS.items():
        if module_name(path).startswith(prefix):
            ours = {name for name in imports(path) if name.split(".")[0] in MAY_IMPORT}
            wrong = {name for name in ours if not name.startswith(prefix) and name.split(".")[0] not in allowed}
            assert not wrong, f"{path.name} must not import {wrong}"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_libraries_stay_behind_their_fence(path: Path) -> None:
    """A library that shapes its callers is known in one place."""
    relative = str(path.relative_to(ROOT))
    for library, homes in FENCES.items():
        used = any(name == library or name.startswith(f"{library}.") for name in imports(path))
        at_home = any(relative == home or (home.endswith("/") and relative.startswith(home)) for home in homes)
        assert not used or at_home, f"{relative} must not import {library}; it belongs to {sorted(homes)}"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_names_lead_to_tables_through_the_door(path: Path) -> None:
    """Whether a statement finds a table or a view is decided in one place, for every path."""
    relative = path.relative_to(ROOT).as_posix()
    looked_up = [
        f"line {node.lineno}: registry.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in LOOK_UPS and _is_registry(node.value)
    ]
    if not relative.startswith(DOORKEEPERS):
        assert not looked_up, f"{relative} must ask Context.table or Context.door: {looked_up}"


def _is_registry(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "registry") or (
        isinstance(node, ast.Attribute) and node.attr == "registry"
    )


@pytest.mark.parametrize(
    "path", [p for p in sources() if p.relative_to(ROOT).parts[0] in {"providers", "flush"}], ids=module_name
)
def test_cold_files_are_reached_through_their_folder(path: Path) -> None:
    """Jobs and readers name a scope's files and never touch the file system, so that a folder may lie elsewhere."""
    allowed = FILE_SYSTEM_HOMES.get(path.relative_to(ROOT).as_posix(), set())
    found = {name for name in imports(path) if name not in {"manifest.files", *WITHOUT_FILES}}
    wrong = {name for name in found if any(name == one or name.startswith(f"{one}.") for one in FILE_SYSTEM - allowed)}
    assert not wrong, f"{path.name} must not import {wrong}: ask the scope's ScopeFolder"


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


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_stand_at_the_top(path: Path) -> None:
    """No import hides in a function."""
    tree = ast.parse(path.read_text())
    local = [
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    allowed = path.relative_to(ROOT).as_posix() == "flightserver/__main__.py"
    assert not local or allowed, f"{path.name}:{local} imports inside a function; only the command line may"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_names_say_what_a_module_is(path: Path) -> None:
    """No drawer for odds and ends."""
    assert path.stem not in BANNED_NAMES, f"{path} is a drawer; name the concept"


@pytest.mark.parametrize("path", [*sources(), *sorted((ROOT / "tests").rglob("test_*.py"))], ids=lambda path: path.stem)
def test_modules_and_tests_have_docstrings(path: Path) -> None:
    """A module says what it is for; a test says which fact it holds."""
    tree = ast.parse(path.read_text())
    if path.stem != "__init__" or tree.body:
        assert ast.get_docstring(tree), f"{path} needs a module docstring"
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    silent = [test.name for test in tests if not ast.get_docstring(test)]
    assert not silent, f"{path.name}: {silent} need one sentence each"


def documents() -> list[Path]:
    """Every Markdown page of the project."""
    return [path for path in ROOT.rglob("*.md") if not {".venv", "node_modules", ".git"} & set(path.parts)]


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_in_pages_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    broken = [target for target in targets if not (page.parent / target).exists()]
    assert not broken, f"{page.name} links to {broken}"
