from html.parser import HTMLParser

from engine.cli.audit_page import audit_page
from engine.cli.audit_sections import moment, summary
from engine.service.operations import undo
from tests.unit.cli.chains import HOSTILE, Chains

ORDER = (
    "Signal",
    "Classification",
    "Rule and decision",
    "Plan",
    "Approval",
    "Effect",
    "Verification",
    "Result",
    "Feedback",
    "The chain",
    "Seals and signature",
)


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, what they point at, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.policies: list[str] = []
        self.cells: dict[str, str] = {}
        self.headings: list[str] = []
        self._name = self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(held)
        if held.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(held["content"] or "")
        self._open = tag
        if tag == "tr":
            self._name = ""

    def handle_data(self, data: str) -> None:
        if self._open == "h2":
            self.headings.append(data.partition(". ")[2])
        elif self._open == "th":
            self._name += data
        elif self._open == "td":
            self.cells[self._name] = self.cells.get(self._name, "") + data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  the parser's signature
        self._open = ""


def page(kept: Chains, description: str = "") -> str:
    ref = kept.approved(description=description)
    return audit_page(kept.export(ref), misfit="")


def test_the_page_is_read_from_the_signal_to_the_seal(kept: Chains) -> None:
    assert tuple(Reader(page(kept)).headings) == ORDER


def test_the_story_tells_of_every_attempt(kept: Chains) -> None:
    ref = kept.approved()
    undo(kept.world.services, ref, by="operator")
    kept.world.run()
    story = dict(summary(kept.export(ref)))
    assert "approved by Olga Owner" in story["Approved (attempt 1)"]
    assert "verified at the target" in story["Effect (implement) (attempt 1)"]
    assert story["Plan (attempt 2)"].startswith("remove_group_member")


def test_the_page_names_approver_time_plan_effect_and_proof(kept: Chains) -> None:
    ref = kept.approved()
    document = kept.export(ref)
    cells = Reader(audit_page(document, misfit="")).cells
    approved = next(row for row in document["rows"] if row["body"].get("to") == "approved")
    approver = approved["body"]["approvers"][0]
    at = moment(approver["decided_at"])
    assert at.endswith(" UTC")
    assert cells["Approver's account"] == f"desk:own1 at {at}"
    assert cells["Approved"].endswith(" UTC approved by Olga Owner on CHG0000001")
    assert "verified at the target" in cells["Effect (implement)"]
    assert cells["Approved plan"] == approved["body"]["plan_digest"]
    assert cells["Content has this digest"] == "yes"
    assert cells["Key"].startswith(document["effects"][0]["key"])
    assert cells["Fired"] == moment(document["effects"][0]["evidence"]["_firing_at"])
    assert cells["Verified at the target"] == "yes"
    assert cells["Stands at"].startswith("fulfilled since ")
    assert document["rows"][-1]["hash"] in cells["Seal 1"]
    assert cells["Signature of the export"] == document["signature"]


def test_every_row_stands_on_the_page_with_its_hash(kept: Chains) -> None:
    ref = kept.approved()
    document = kept.export(ref)
    text = audit_page(document, misfit="")
    assert len(document["rows"]) > 10
    assert all(row["hash"] in text for row in document["rows"])


def test_hostile_ticket_text_is_inert_and_its_invisible_characters_show(kept: Chains) -> None:
    text = page(kept, description=HOSTILE)
    read = Reader(text)
    assert read.cells["Description"].count("<script>alert(1)</script>") == 1
    assert "[U+202E]gnp.exe" in read.cells["Description"]
    assert read.cells["Description"].endswith("[U+200B]")
    assert not {"\u202e", "\u200b"} & set(text)
    assert not read.tags & {"script", "img", "iframe", "object", "embed", "link", "form", "a"}
    assert not {one for one in read.attributes if one.startswith("on")}


def test_a_quote_in_a_text_leaves_no_attribute_and_no_template_is_run(kept: Chains) -> None:
    trick = "{{ 7 * 7 }} \"' onmouseover=alert(1) {% raw %} </style><style>*{}"
    read = Reader(page(kept, description=trick))
    assert read.cells["Description"] == trick
    assert not {one for one in read.attributes if one.startswith("on")}


def test_the_page_asks_for_nothing_outside_and_forbids_that_it_does(kept: Chains) -> None:
    read = Reader(page(kept))
    assert read.attributes.isdisjoint({"src", "href", "action", "background", "poster", "data"})
    assert len(read.policies) == 1
    assert "default-src 'none'" in read.policies[0]
    assert "script" not in read.policies[0]


def test_erased_texts_are_called_erased(kept: Chains) -> None:
    ref = kept.approved(description="my private matter")
    kept.store.erase(
        f"{ref.system}:{ref.id}", at=kept.world.clock.now(), actor="officer", why="asked for"
    )
    text = audit_page(kept.export(ref), misfit="")
    cells = Reader(text).cells
    assert "my private matter" not in text
    assert "Rita" not in text
    for name in ("Description", "Requested by", "Content", "Fired", "Seen"):
        assert cells[name] == "erased", name
    assert cells["Erased by"] == "officer"
    assert cells["Approver's account"].startswith("desk:own1 at ")


def test_a_plan_that_is_not_the_approved_one_is_pointed_out(kept: Chains) -> None:
    document = kept.export(kept.approved())
    document["handlings"][0]["plan"]["bound"]["subject"]["id"] = "somebody-else"
    cells = Reader(audit_page(document, misfit="")).cells
    assert cells["Content has this digest"].startswith("NO")


def test_a_misfit_stands_on_top(kept: Chains) -> None:
    text = audit_page(kept.export(kept.approved()), misfit="row 3: changed")
    assert "Does not fit: row 3: changed" in text
    assert "signature fitted" not in text
