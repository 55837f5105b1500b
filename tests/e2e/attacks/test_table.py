"""The table of attacks in docs/gate.md tells what the tests play: all of it, and nothing else."""

from tests.e2e.attacks import test_moments
from tests.e2e.attacks.table import BEGIN, DOCUMENT, END, REQUIRED, SUITES, lines


def test_every_attack_that_must_be_there_has_rows_and_every_row_belongs_to_one() -> None:
    wanted = [name for names in REQUIRED.values() for name in names]
    played = {row.name for suite in SUITES for row in suite.rows}
    played |= {told.name for told in test_moments.ELSEWHERE}
    assert len(wanted) == len(set(wanted))
    assert set(wanted) == played


def test_every_row_names_its_reason_and_its_native_end() -> None:
    for suite in SUITES:
        assert hasattr(suite.module, suite.test), suite.test
        for row in suite.rows:
            assert row.reason, row.name
            assert row.native or row.name == "the approved change is deleted", row.name
    for told in test_moments.ELSEWHERE:
        assert hasattr(test_moments, told.test), told.test


def test_the_document_has_the_table_that_the_rows_make() -> None:
    text = DOCUMENT.read_text("utf-8")
    shown = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    assert shown == lines(), "run: python -m tests.e2e.attacks.table"
