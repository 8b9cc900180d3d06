"""Backups and checks that the server makes by itself."""

from pathlib import Path

import pytest

from flightserver.database import Database, schedules_of
from flightserver.settings import Settings
from flush.jobs.tasks import Backup, Check


@pytest.mark.parametrize(
    ("settings", "recurring"),
    [
        ({"backup_interval_s": 60.0}, set()),
        ({"backup_dir": "/shelf"}, set()),
        ({"backup_dir": "/shelf", "backup_interval_s": 60.0}, {Backup()}),
        ({"check_interval_s": 60.0}, {Check()}),
    ],
)
def test_what_recurs_is_what_is_set(settings: dict[str, object], recurring: set[object]) -> None:
    """Neither, unless it is asked for; a backup needs a place."""
    found = {one.task for one in schedules_of(Settings.model_validate(settings))}
    assert found & {Backup(), Check()} == recurring


def test_backups_are_taken_by_themselves_and_the_oldest_go(tmp_path: Path) -> None:
    """Under names that tell their moments; `backups_kept` stay."""
    settings = Settings(
        data_dir=tmp_path / "data",
        backup_dir=tmp_path / "shelf",
        backup_interval_s=1e-6,
        check_interval_s=60,
        backups_kept=2,
    )
    database = Database(settings)
    try:
        for _ in range(3):
            database.jobs.tick()
        names = [one.name for one in database.shelf.listed()]
        assert len(names) == 2
        assert all(name.startswith("auto-") for name in names)
        jobs = [(job.task.kind, job.state.value) for job in database.jobs.listed()]
        assert jobs.count(("backup", "completed")) >= 2
        assert jobs.count(("check", "completed")) == 1
    finally:
        database.close()
