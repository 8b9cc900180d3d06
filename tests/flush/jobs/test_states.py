"""What a job may become."""

from itertools import product

import pytest

from flush.jobs.states import FINAL, TRANSITIONS, JobEvent, JobState, after


def test_what_the_table_lacks_cannot_happen() -> None:
    """Each pair of a state and an event is in the table or refused."""
    for state, event in product(JobState, JobEvent):
        if (state, event) in TRANSITIONS:
            assert after(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(ValueError, match=state.value):
                after(state, event)


def test_nothing_follows_an_end() -> None:
    """A job ends in one of four ways."""
    assert {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.SKIPPED} == FINAL


def test_every_state_is_reached_and_every_one_ends() -> None:
    """None is a dead end, and none is there for nothing."""
    follows = {state: {TRANSITIONS[s, e] for s, e in TRANSITIONS if s is state} for state in JobState}
    reached = {JobState.NEW}
    for _ in JobState:
        reached |= {found for state in reached for found in follows[state]}
    assert reached == set(JobState)
    ending = set(FINAL)
    for _ in JobState:
        ending |= {state for state in JobState if follows[state] & ending}
    assert ending == set(JobState)
