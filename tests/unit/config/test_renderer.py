import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.escaping import is_invisible, plain, quote, visible
from config.renderer import LIMITS, TemplateRenderer
from engine.domain.action import (
    BoundAction,
    BoundTarget,
    Catalogue,
    ParameterKind,
    RiskScores,
    Tier,
)
from engine.domain.canonical import JSON, digest
from engine.domain.classification import Classification, Guess
from engine.domain.decision import TemplatePin, Window
from engine.domain.plan import Plan
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.ticket import Ticket, TicketState
from engine.errors import ConfigurationError, DoesNotFitError
from engine.ports.rendering import PlanContext
from engine.service.world import Occasion, Template

AT = datetime(2026, 11, 20, 9, 12, tzinfo=UTC)
REF = TicketRef(system="servicenow", kind=TicketKind.INCIDENT, id="x1", key="INC0010245")
SUBJECT = BoundTarget(kind=ParameterKind.PERSON, id="6f1c", name="bob.miller")
GROUP = BoundTarget(
    kind=ParameterKind.GROUP, id="91aa", name="PROD-DB-Admins", facts={"members": "6"}
)
TICKET = Ticket(
    ref=REF,
    url="https://desk.test/INC0010245",
    version="1",
    created_at=AT,
    updated_at=AT,
    state=TicketState.NEW,
    short_description="need admin on the production database",
    description="thanks",
    requester=None,
    creator=None,
)


def plan(action: str = "add_group_member", **changes: Any) -> Plan:
    targets = {"group": GROUP} if "group" in action else {}
    bound = BoundAction(
        action=action, version=2, system="corporate-directory", subject=SUBJECT, targets=targets
    )
    base = Plan(
        revision=1,
        ticket=REF,
        bound=bound,
        requester_key="1002",
        requester_name="Bob Miller",
        subject_key="1002",
        subject_name="Bob Miller",
        tier=Tier.THREE,
        reasons=("Privileged access is always approved by its owner (rule 3)",),
        authority="identity-owners",
        authority_group="b85d",
        least_approvers=1,
        window=Window(earliest=AT, latest=AT + timedelta(hours=4)),
        expires_at=AT + timedelta(hours=4),
    )
    return replace(base, **changes)


def context(
    catalogue: Catalogue, action: str = "add_group_member", ticket: Ticket = TICKET
) -> PlanContext:
    return PlanContext(
        ticket=ticket,
        classification=Classification(
            intent=action,
            candidate=action,
            confidence=0.9801,
            evidence=("need admin on the production database",),
            model="local-abc",
        ),
        action=catalogue[action],
        described={"subject": SUBJECT, "group": GROUP},
        tier_map_digest="sha256:9f3c11112222",
        neighbours=("CHG0030118 (database patching)",),
    )


@pytest.fixture(scope="module")
def renderer() -> TemplateRenderer:
    return TemplateRenderer()


def test_a_plan_says_who_what_why_and_until_when(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    text = renderer.render_plan(plan(), context(catalogue))
    assert text.short_description == "Add bob.miller to PROD-DB-Admins (for INC0010245)"
    assert "bob.miller (id 6f1c)" in text.description
    assert "Decide before 20 Nov 2026 13:12 UTC" in text.description
    assert "Requested by Bob Miller (person 1002)" in text.justification
    assert 'confidence 0.98 from "need admin on the production database"' in text.justification
    assert "Privileged access is always approved by its owner (rule 3)" in text.justification
    assert "members: 6" in text.risk_and_impact
    assert "CHG0030118 (database patching)" in text.risk_and_impact
    assert "Remove the membership, only if this change added it" in text.backout
    assert "no other member changed" in text.test


def test_the_exact_document_and_its_digest_stand_after_the_plain_words(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    lines = renderer.render_plan(plan(), context(catalogue)).implementation.split("\n")
    (exact,) = [line for line in lines if line.startswith("{")]
    assert digest(json.loads(exact)) == plan().digest
    assert f"Digest {plan().digest}" in lines
    assert lines[0].startswith("1. Add bob.miller (id 6f1c) to PROD-DB-Admins (id 91aa)")
    assert lines.index(exact) > 2


@pytest.mark.parametrize(
    "action",
    [
        "reset_password",
        "unlock_account",
        "add_group_member",
        "remove_group_member",
        "disable_account",
    ],
)
def test_every_action_has_whole_texts(
    renderer: TemplateRenderer, catalogue: Catalogue, action: str
) -> None:
    text = renderer.render_plan(plan(action), context(catalogue, action))
    for name, value in text.fields().items():
        assert value, name
        assert len(value) <= LIMITS[name]
        assert "None" not in value


def test_the_requesters_words_come_last_in_one_marked_quote_that_cannot_be_left(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    hostile = replace(
        TICKET,
        short_description="x",
        description=(
            "---- End of the requester's words ----\r\n"
            "Approved by the CAB.\u2028Decide at once\u202e [code]<b>{noformat}"
        ),
    )
    text = renderer.render_plan(plan(), context(catalogue, ticket=hostile)).description
    lines = text.split("\n")
    begins = next(n for n, line in enumerate(lines) if line.startswith("---- The requester"))
    assert lines[-1] == "---- End of the requester's words ----"
    assert all(line.startswith(">") for line in lines[begins + 1 : -1])
    assert "[code]" not in text
    assert "{noformat}" not in text
    assert "[U+202E]" in text
    assert "[invisible characters]" in text


def test_long_words_are_capped_with_a_count(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    wordy = replace(TICKET, description="word " * 2000)
    text = renderer.render_plan(plan(), context(catalogue, ticket=wordy)).description
    assert "more characters in the ticket)" in text


def test_a_plan_that_does_not_fit_is_refused_and_never_cut(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    many = plan(reasons=tuple(f"{n} {'because ' * 20}" for n in range(60)))
    with pytest.raises(DoesNotFitError, match="characters, its field"):
        renderer.render_plan(many, context(catalogue))


def test_a_plan_that_cannot_be_shown_exactly_is_refused(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    named = plan(requester_name="{noformat} Bob")
    with pytest.raises(DoesNotFitError, match="cannot be shown exactly"):
        renderer.render_plan(named, context(catalogue))


def test_a_time_boxed_plan_says_that_the_removal_belongs_to_it(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    text = renderer.render_plan(plan(ends_at=AT + timedelta(days=30)), context(catalogue))
    assert "3. On 20 Dec 2026 09:12 UTC the membership is removed again" in text.implementation


def test_mixed_scripts_are_pointed_out_once_beside_the_name(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    lookalike = replace(GROUP, name="PROD-DB-\u0410dmins")
    one = plan()
    bound = replace(one.bound, targets={"group": lookalike})
    where = replace(context(catalogue), described={"subject": SUBJECT, "group": lookalike})
    text = renderer.render_plan(replace(one, bound=bound), where)
    assert text.implementation.split("\n")[0].count("[mixed scripts: Cyrillic, Latin]") == 1


def test_every_note_renders_with_all_facts_and_the_internal_ones_with_few(
    renderer: TemplateRenderer,
) -> None:
    facts: dict[str, JSON] = {
        "ticket": {"system": "desk", "key": "INC1", "kind": "incident", "short_description": "x"},
        "action": "reset_password",
        "tier": 1,
        "gate": "none",
        "confidence": "0.991",
        "evidence": ["forgot my password"],
        "model": "local-1",
        "reasons": [{"rule": "floor", "because": "Floor of reset_password"}],
        "tier_map_digest": "sha256:9f3c",
        "routed": {"category": "Access"},
        "kept": ["priority"],
        "did": ["password set, verified"],
        "stage": "fulfilled",
        "reason": "verified",
        "plan": {"digest": "sha256:a", "code": "abcd", "expires_at": AT.isoformat()},
        "change": {"number": "CHG1", "url": "https://x"},
        "secret": "Abc-123",
        "person": "Bob",
        "name": "desk",
        "why": "timeout",
    }
    names = [n for n in renderer.names() if not n.startswith("plan_") and n != "sentences"]
    assert len(names) > 15
    for name in names:
        assert renderer.render(name, facts)
    for name in ("triage_note", "outcome_note", "parked_note", "change_note", "resolve_text"):
        assert renderer.render(name, {})
    assert "Abc-123" in renderer.render("secret_mail", facts)
    assert all("Abc-123" not in renderer.render(n, facts) for n in names if n != "secret_mail")
    note = renderer.render("triage_note", facts)
    assert note.split("\n")[0] == "Tiergate · reset_password · tier 1 · confidence 0.991"
    assert 'Why this action: "forgot my password" (model local-1)' in note


def test_every_text_of_the_use_cases_and_every_comment_has_a_template(
    renderer: TemplateRenderer,
) -> None:
    needed = {*Template, *(f"comment_{occasion}" for occasion in Occasion)}
    assert needed <= set(renderer.names())


def test_the_desk_sees_the_whole_plan_before_it_answers(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    text = renderer.render_plan(plan(), context(catalogue))
    facts: dict[str, JSON] = {
        "action": "add_group_member",
        "plan": {"code": plan().code, "digest": plan().digest, "expires_at": AT.isoformat()},
        "text": dict(text.fields()),
    }
    request = renderer.render("desk_request", facts)
    assert text.implementation in request
    assert f"code {plan().code}" in request
    assert plan().digest in request
    assert "requester's own words" not in request


def test_facts_are_made_harmless_wherever_a_template_prints_them(
    renderer: TemplateRenderer,
) -> None:
    note = renderer.render("parked_note", {"reason": "a\nTiergate · done [code]<i>\u200b"})
    assert "[code]" not in note
    assert "\n".join(note.split("\n")[1:2]).endswith("[invisible characters]")


def test_an_admins_template_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "comment_done.j2").write_text("Fertig: {{ ticket.key }}", "utf-8")
    mine = TemplateRenderer(tmp_path)
    mine.check()
    assert mine.render("comment_done", {"ticket": {"key": "A-1"}}) == "Fertig: A-1"
    assert "waits" in mine.render("comment_waiting", {"ticket": {"key": "A-1"}})


@pytest.mark.parametrize(
    "body",
    [
        "{{ nothing_of_that_name }}",
        "{{ ticket.nothing }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{% for x in 5 %}{% endfor %}",
        "{{ reasons.append(1) }}",
    ],
)
def test_a_template_that_reaches_too_far_is_an_error_and_never_an_empty_text(
    body: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.j2").write_text(body, "utf-8")
    with pytest.raises(ConfigurationError):
        TemplateRenderer(tmp_path).render("mine", {"ticket": {"key": "A"}, "reasons": [1]})


def test_a_template_with_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.j2").write_text("fine\n{% if %}", "utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.j2:2:1: is no template"):
        TemplateRenderer(tmp_path).check()


def test_an_unknown_template_is_an_error(renderer: TemplateRenderer) -> None:
    renderer.check("comment_done")
    with pytest.raises(ConfigurationError, match="no template"):
        renderer.check("comment_dnoe")
    with pytest.raises(ConfigurationError, match="no template"):
        renderer.render("nothing", {})


@given(st.text(max_size=200))
def test_what_is_printed_is_one_visible_line(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert not any(is_invisible(character) for character in shown)


@given(st.text(max_size=2000))
def test_a_quote_marks_every_line_whatever_is_written(text: str) -> None:
    lines = quote(text).splitlines()
    assert all(line.startswith(">") for line in lines[1:-1])


@given(st.text(alphabet="[]{}/codeCODEnoformatquote ", max_size=60))
def test_markup_of_the_vendors_never_survives(text: str) -> None:
    shown = visible(text).lower()
    assert not any(mark in shown for mark in ("[code]", "[/code]", "{noformat", "{code", "{quote"))


def test_the_risk_is_told_as_the_map_scores_it(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    scores = RiskScores(blast_radius=3, irreversibility=2, regulatory=3)
    where = replace(context(catalogue), risk=scores)
    told = renderer.render_plan(plan(), where).risk_and_impact
    assert "Blast radius 3 of 3" in told
    assert "Irreversibility 2 of 3" in told
    assert "Regulatory exposure 3 of 3" in told
    assert "at least tier 3" in told


def test_every_parameter_is_told_with_the_words_it_rests_on(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    where = context(catalogue)
    guess = Guess(value="PROD-DB-\u0410dmins", confidence=0.91, evidence=("the database group",))
    where = replace(
        where, classification=replace(where.classification, parameters={"group": guess})
    )
    told = renderer.render_plan(plan(), where).justification
    assert '"PROD-DB-\u0410dmins [mixed scripts: Cyrillic, Latin]" with confidence 0.91' in told
    assert 'from "the database group"' in told


def test_a_long_value_stands_whole_in_a_plan(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    one = plan()
    long = "value " * 150
    bound = replace(one.bound, values={"note": long.strip()})
    told = renderer.render_plan(replace(one, bound=bound), context(catalogue)).description
    assert long.strip() in told


def test_a_standard_change_names_its_template_and_the_proposal_that_approved_it(
    renderer: TemplateRenderer, catalogue: Catalogue
) -> None:
    pin = TemplatePin(id="1" * 32, version="2" * 32, proposal="3" * 32)
    text = renderer.render_plan(plan(template=pin), context(catalogue))
    assert f"template {'1' * 32}, version {'2' * 32}" in text.description
    assert f"proposal {'3' * 32}" in text.description
    assert f'"template":{{"id":"{"1" * 32}"' in text.implementation
