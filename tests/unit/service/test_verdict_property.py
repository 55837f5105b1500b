"""Over every combination: nothing but a whole yes of the authority is ever approved."""

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.change import ApprovalState, ChainState, ChangeState, VerdictKind
from engine.domain.refs import Account
from engine.service.verdict import verdict
from tests.unit.service.verdict_facts import (
    DAEMON,
    OLAF,
    OLGA,
    OTTO,
    RITA,
    SAM,
    row,
    with_snapshot,
)


@given(
    state=st.sampled_from(ChangeState),
    chain=st.sampled_from(ChainState),
    rollup=st.sampled_from(ApprovalState),
    held=st.booleans(),
    rows=st.lists(
        st.tuples(
            st.sampled_from([OLGA, OTTO, RITA, SAM, OLAF, DAEMON]),
            st.sampled_from(ApprovalState),
            st.sampled_from([OLGA, RITA, OLAF, DAEMON, None]),
        ),
        max_size=4,
    ),
    moved_by=st.sampled_from([OLGA, DAEMON, None]),
)
def test_only_a_whole_yes_of_the_authority_is_ever_approved(
    state: ChangeState,
    chain: ChainState,
    rollup: ApprovalState,
    held: bool,  # noqa: FBT001  drawn
    rows: list[tuple[Account, ApprovalState, Account | None]],
    moved_by: Account | None,
) -> None:
    facts = with_snapshot(
        state=state,
        chain=chain,
        rollup=rollup,
        is_on_hold=held,
        approvals=tuple(row(*one) for one in rows),
        moved_by=moved_by,
    )
    if verdict(facts).kind is not VerdictKind.APPROVED:
        return
    assert chain is ChainState.COMPLETE
    assert rollup is ApprovalState.APPROVED
    assert not held
    assert state is ChangeState.SCHEDULED or (state is ChangeState.IMPLEMENT and moved_by == DAEMON)
    yes = [one for one in rows if one[1] is ApprovalState.APPROVED]
    assert yes
    assert all(who in {OLGA, OTTO} and setter == OLGA for who, _, setter in yes)
    assert not any(one[1] in {ApprovalState.REJECTED, ApprovalState.REQUESTED} for one in rows)
