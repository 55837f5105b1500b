"""What approvers are told of other changes on the same target."""

from dataclasses import replace

from engine.domain.plan import Plan, PlanText
from engine.ports.rendering import PlanContext
from engine.testing.brains import PlainRenderer
from engine.testing.world import DOOR, memory_world


class Keeping(PlainRenderer):
    """Keeps what every plan was rendered from."""

    def __init__(self) -> None:
        self.contexts: list[PlanContext] = []

    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        self.contexts.append(context)
        return super().render_plan(plan, context)


def test_only_so_many_changes_on_a_target_are_named_that_the_plan_still_fits() -> None:
    world = memory_world()
    renderer = Keeping()
    world.services = replace(world.services, renderer=renderer)
    for by in [*["REQ"] * 11, "SUB", "REQ"]:
        world.ask(DOOR, by=by)
        world.run()
    *_, others, last = (context.neighbours for context in renderer.contexts)
    assert others == ()
    assert len(last) == 9
    assert all("Rita Requester" in line for line in last[:8])
    assert last[8] == "and 3 more of ours on the same target"
