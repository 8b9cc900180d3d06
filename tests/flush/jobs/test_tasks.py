"""What there is to do, as values that are checked when they are made."""

from typing import Any

import pytest

from catalog.errors import DatabaseError
from flush.jobs.kinds import KINDS, make_task
from flush.jobs.tasks import AuditRetention, Flush, FlushTables


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("flush", {}, "job flush: table_id: "),
        ("flush", {"table_id": 0}, "job flush: table_id: "),
        ("flush", {"table_id": "7"}, "job flush: table_id: "),
        ("flush", {"table_id": 7, "user": 3}, "job flush: user: "),
        ("flush", {"table_id": 7, "colour": "red"}, "job flush: colour: "),
        ("audit_retention", {"days": -1.0}, "job audit_retention: days: "),
        ("mow", {}, "there is no job of kind 'mow'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(kind: str, parameters: dict[str, Any], said: str) -> None:
    """The error says which parameter of which kind."""
    with pytest.raises(DatabaseError) as caught:
        make_task(kind, parameters)
    assert said in caught.value.message


def test_every_kind_is_that_of_its_model() -> None:
    """A row of the table makes tasks of its kind and no other."""
    assert all(row.model.model_fields["kind"].default == kind for kind, row in KINDS.items())


def test_a_task_comes_back_from_its_parameters() -> None:
    """That is how records have it."""
    for task in (Flush(table_id=7, user="ann"), AuditRetention(days=1.5), FlushTables()):
        assert make_task(task.kind, task.parameters) == task


def test_the_same_work_has_one_key() -> None:
    """And other work another."""
    assert Flush(table_id=7).key == Flush(table_id=7).key
    assert len({Flush(table_id=7).key, Flush(table_id=8).key, Flush(table_id=7, user="").key}) == 3
