"""Every part of every kind of file, flipped, zeroed, cut, or gone: found or harmless, never a wrong answer.

A damaged folder is opened; each question is answered rightly or with an error, before and after jobs have put back what
can be derived; and where one is answered with an error, a check has a finding. `FLIGHTSERVER_BIT_ROT` says how many
trials there are.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from catalog.errors import DatabaseError
from flightserver.backup.moment import Source
from flightserver.backup.restoring import findings, restore
from flightserver.backup.shelf import Shelf
from tests.bitrot.injuries import INJURIES, REGIONS, injured, kind_of, regions_of
from tests.bitrot.world import Answers, Opened, copied, fill, questions_about

pytestmark = pytest.mark.proof

TRIALS = int(os.environ.get("FLIGHTSERVER_BIT_ROT", "200"))
BATCHES = 3
OF_BACKUPS = 4
"""One trial of so many is on a backup."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a file of every kind."""
    folder = tmp_path_factory.mktemp("template") / "left"
    fill(tmp_path_factory.mktemp("filled"), folder)
    return folder


@pytest.fixture(scope="module")
def expected(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What it answers."""
    opened = Opened(copied(template, tmp_path_factory.mktemp("whole") / "copy"))
    found = opened.answers()
    assert opened.findings() == 0
    opened.close()
    assert all(isinstance(answer, list) and answer for question, answer in found.items() if "id = 5" not in question)
    return found


@pytest.fixture(scope="module")
def shelf(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, which shares no file with anything."""
    opened = Opened(copied(template, tmp_path_factory.mktemp("source") / "copy"))
    root = tmp_path_factory.mktemp("shelf")
    database = opened.database
    Shelf(root / "links").take("b", Source(database._folder, database._keyvalue))
    opened.close()
    shutil.copytree(root / "links", root / "shelf")
    return root / "shelf" / "b"


def trials(root: Path) -> Iterator[tuple[Path, object, object]]:
    """Files with what happens to which part of them, for ever: all combinations by turns, with other files later."""
    paths = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.stat().st_size)
    by_kind: dict[str, list[str]] = {}
    for path in paths:
        if regions_of(path):
            by_kind.setdefault(kind_of(path), []).append(path)
    assert by_kind.keys() == REGIONS.keys(), "a kind of file is missing"
    combined = [(kind, region, injury) for kind in by_kind for region, injury in product(REGIONS[kind], INJURIES)]
    random.Random(0).shuffle(combined)
    for number in range(10**9):
        kind, region, injury = combined[number % len(combined)]
        choice = by_kind[kind]
        yield root / choice[number // len(combined) % len(choice)], region, injury


def damage(path: Path, region: object, injury: object, rng: random.Random) -> bool:
    """Let something happen to a file; tell whether it is another one now."""
    before = path.read_bytes()
    after = injured(before, region, injury, rng)  # type: ignore[arg-type]
    if after is None:
        path.unlink()
    elif after != before:
        path.write_bytes(after)
    return after != before


@pytest.mark.parametrize("part", range(BATCHES))
def test_damage_in_a_data_folder_is_found_or_harmless(
    template: Path, expected: Answers, tmp_path: Path, part: int
) -> None:
    """Opened, asked, checked, repaired, and asked again."""
    outcomes: Counter[str] = Counter()
    for number, (path, region, injury) in zip(range(TRIALS), trials(template / "data"), strict=False):
        if number % BATCHES != part or number % OF_BACKUPS == OF_BACKUPS - 1:
            continue
        copy = copied(template, tmp_path / str(number))
        rng = random.Random(number)
        if damage(copy / path.relative_to(template), region, injury, rng):
            about = {question: expected[question] for question in questions_about(path)}
            trial = f"trial {number}: {path.relative_to(template)}, {getattr(injury, '__name__', '')}"
            outcomes[outcome(copy, about, trial)] += 1
        shutil.rmtree(copy)
    assert not outcomes or outcomes["refused"] or outcomes["named"]


def outcome(folder: Path, expected: Answers, trial: str) -> str:
    """What became of a damaged folder; AssertionError for a wrong answer."""
    try:
        opened = Opened(folder)
    except DatabaseError:
        return "refused"
    try:
        before = asked(opened, expected, trial)
        found = opened.findings()
        assert found or before == "right", trial
        if found:
            opened.repair()
            asked(opened, expected, trial)
        return before
    finally:
        opened.close()


def asked(opened: Opened, expected: Answers, trial: str) -> str:
    """Whether everything is answered rightly, or something of it with an error; AssertionError for a wrong answer."""
    answers = opened.answers(expected)
    for question, answer in answers.items():
        assert answer == expected[question] or isinstance(answer, str), f"{trial}: {question} gives {answer}"
    return "right" if answers == expected else "named"


def test_damage_in_a_backup_is_found(shelf: Path, expected: Answers, tmp_path: Path) -> None:
    """By a check, and by restoring it, which restores nothing then."""
    paths = sorted(path for path in shelf.rglob("*") if path.is_file() and path.stat().st_size)
    for number in range(TRIALS // OF_BACKUPS):
        rng = random.Random(number)
        copy = copied(shelf, tmp_path / str(number))
        path = paths[number % len(paths)]
        injury, region = INJURIES[number % len(INJURIES)], rng.choice(list(REGIONS.values()))[0]
        if damage(copy / path.relative_to(shelf), region, injury, rng):
            try:
                found = list(findings(copy))
                assert found, f"trial {number}: {path.name}"
            except DatabaseError:
                assert path.name == "BACKUP"
            with pytest.raises(DatabaseError):
                restore(copy, tmp_path / f"{number}-restored" / "data")
        shutil.rmtree(copy)
    restore(shelf, tmp_path / "whole" / "data")
    opened = Opened(tmp_path / "whole")
    assert opened.answers() == expected
    opened.close()
