from dataclasses import replace
from datetime import timedelta

from engine.domain.effect import EffectKind
from engine.ports.fulfilment import ForeignChange
from engine.service.reconcile import Compared, Deed, compare, deed
from engine.testing.clocks import START
from engine.testing.world import DIRECTORY, JOIN, MemoryWorld, memory_world

SECOND = timedelta(seconds=1)
MEMBER = frozenset({"add_group_member", "remove_group_member"})


def done() -> tuple[MemoryWorld, Deed]:
    """Return a world in which one membership was granted, and that deed."""
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    handling = world.handling(ref)
    with world.store.begin() as work:
        (effect,) = work.effects(handling.id)
    found = deed(effect, handling)
    assert found is not None
    return world, found


def trace(one: Deed, **changes: object) -> ForeignChange:
    """Return what the directory's log shows of a deed."""
    shown = ForeignChange(
        at=one.begins_at + timedelta(minutes=2) + SECOND,
        target_id="dba",
        target_name="cn=dba",
        what=("member",),
        actions=MEMBER,
    )
    return replace(shown, **changes)  # type: ignore[arg-type]  # fields by name


def against(one: Deed, *changes: ForeignChange) -> Compared:
    return compare(DIRECTORY, changes, [one], since=START - timedelta(days=1))


def test_an_effect_and_its_trace_explain_each_other() -> None:
    _world, one = done()
    assert against(one, trace(one)) == Compared(unrecorded=(), untraced=())


def test_an_effect_without_a_trace_is_a_difference() -> None:
    _world, one = done()
    assert against(one).untraced == (one,)


def test_a_second_change_in_the_same_minute_is_a_difference() -> None:
    _world, one = done()
    second = trace(one, at=trace(one).at + SECOND)
    assert against(one, trace(one), second).unrecorded == (second,)


def test_an_attempt_that_was_taken_over_may_have_written_twice() -> None:
    _world, one = done()
    again = replace(one, attempts=2)
    found = against(again, trace(one), trace(one, at=trace(one).at + SECOND))
    assert found == Compared(unrecorded=(), untraced=())


def test_a_change_elsewhere_or_of_another_kind_or_time_is_a_difference() -> None:
    _world, one = done()
    for other in (
        trace(one, target_id="another-group"),
        trace(one, target_id=""),
        trace(one, what=("userPassword",), actions=frozenset({"reset_password"})),
        trace(one, what=("modify",), actions=frozenset()),
        trace(one, at=one.ends_at + SECOND),
        trace(one, at=one.begins_at - SECOND),
    ):
        assert against(one, other) == Compared(unrecorded=(other,), untraced=(one,))


def test_a_directory_of_another_name_explains_nothing() -> None:
    _world, one = done()
    found = compare("other", [trace(one)], [one], since=START - timedelta(days=1))
    assert found == Compared(unrecorded=(trace(one),), untraced=())


def test_no_trace_is_expected_of_what_began_before_the_log_was_read() -> None:
    _world, one = done()
    assert compare(DIRECTORY, [], [one], since=one.begins_at + SECOND).untraced == ()


def test_a_way_back_that_found_nothing_to_do_is_no_difference() -> None:
    world, _one = done()
    with world.store.begin() as work:
        (handling,) = work.handlings(limit=1)
        (effect,) = work.effects(handling.id)
    back = deed(replace(effect, kind=EffectKind.BACK_OUT), handling)
    assert back is not None
    assert against(back).untraced == ()


def test_an_erased_effect_explains_by_time_and_action_alone_and_demands_no_trace() -> None:
    world, one = done()
    with world.store.begin() as work:
        (handling,) = work.handlings(limit=1)
        (effect,) = work.effects(handling.id)
    erased = deed(replace(effect, evidence={}, baseline={}), replace(handling, plan=None))
    assert erased is not None
    assert against(erased, trace(one)) == Compared(unrecorded=(), untraced=())
    assert against(erased).untraced == ()


def test_an_intent_that_never_fired_explains_nothing() -> None:
    world, _one = done()
    with world.store.begin() as work:
        (handling,) = work.handlings(limit=1)
        (effect,) = work.effects(handling.id)
    assert deed(replace(effect, evidence={}, finished_at=None), handling) is None


def test_a_newest_change_may_hide_ours_and_blames_nobody_it_does_not_name() -> None:
    _world, one = done()
    later = trace(one, at=trace(one).at + timedelta(days=1), is_ours=False, is_newest=True)
    assert against(one, later) == Compared(unrecorded=(), untraced=())
    elsewhere = replace(later, target_id="other")
    assert against(one, elsewhere).untraced == (one,)
    before = replace(later, at=one.begins_at - SECOND)
    assert against(one, before).untraced == (one,)
    ours = replace(elsewhere, is_ours=True)
    assert against(one, ours).unrecorded == (ours,)
