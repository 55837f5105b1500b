import pytest

from engine.ai.calibration import learn_curve
from engine.ai.features import clauses, looks_like_group, masked, without_names
from engine.ai.parameters import end_in, groups_in, read_date
from engine.ai.people import people_in, speaks_of_self


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Please add Carla Humble to the group", ["Carla Humble"]),
        ("Bitte Carla Humble hinzufügen", ["Carla Humble"]),
        ("Herr Wolter braucht das", ["Wolter"]),
        ("Frau Dr. Müller-Lüdenscheidt geht", ["Müller-Lüdenscheidt"]),
        ("add dan.wolter please", ["dan.wolter"]),
        ("dan.wolter@example.test is locked", ["dan.wolter@example.test"]),
        ("Dan Wolter (dan.wolter) left", ["dan.wolter"]),
        ("Remove Carla from it, she left my team", ["Carla"]),
        ("Ludwig van Beethoven has left", ["Ludwig van Beethoven"]),
        ("O'Brien and Mary O'Brien", ["Mary O'Brien"]),
        ("Dan Wolter and Grete Olsen", ["Dan Wolter", "Grete Olsen"]),
        ("Please reset my password", []),
        ("Neues Passwort für Windows", []),
        ("Open report.pdf and setup.exe", []),
        ("Thanks\nBob Miller", []),
        ("Please reset it\n\nViele Grüße\nErika Brandt", []),
    ],
)
def test_people_are_found_by_name_login_and_address(text: str, names: list[str]) -> None:
    assert sorted(one.text for one in people_in(text) if one.is_named) == sorted(names)


def test_a_closing_that_asks_for_something_is_no_closing() -> None:
    found = people_in("Hello\nThanks\nplease reset the password of Dan Wolter")
    assert [one.text for one in found] == ["Dan Wolter"]


@pytest.mark.parametrize(
    "text",
    [
        "unlock the account of my colleague",
        "das Konto meines Chefs",
        "he cannot log in",
        "sein Konto ist gesperrt",
        "reset it for a client",
        "another user needs it",
        "the new intern has no access",
        "jemand anders braucht es",
        "please add carla to the group of my project",
        "bitte carla in die gruppe meines projekts",
    ],
)
def test_people_without_a_name_count_as_somebody_else(text: str) -> None:
    (found,) = people_in(text)
    assert not found.is_named
    assert found.text in text


@pytest.mark.parametrize(
    ("text", "is_self"), [("add me", True), ("Ich brauche", True), ("mein Konto", True),
                          ("I'm out", True), ("Add Carla", False), ("gemein", False)]
)  # fmt: skip
def test_the_first_person_is_heard(text: str, is_self: bool) -> None:  # noqa: FBT001  a table
    assert speaks_of_self(text) is is_self


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("add me to data-lake", ["data-lake"]),
        ("Gruppe PROD-DB-Admins bitte", ["PROD-DB-Admins"]),
        ('the group "Finance Reports EMEA"', ["Finance Reports EMEA"]),
        ("die Gruppe „Einkauf Nord“", ["Einkauf Nord"]),
        ("add me to the group blueprint", ["blueprint"]),
        ("data-lake and crm_users", ["data-lake", "crm_users"]),
        ("data-lake, I mean DATA-LAKE", ["data-lake"]),
        ("mein AD-Konto im Build-Team, VPN-Gruppe, e-mail, log-in", []),
        ("the group membership of the group is needed", []),
    ],
)
def test_groups_are_read_as_written(text: str, groups: list[str]) -> None:
    assert [guess.value for guess in groups_in(text)] == groups


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("until 2027-03-31", "2027-03-31"),
        ("bis 31.03.2027", "2027-03-31"),
        ("bis zum 1. März 2027", "2027-03-01"),
        ("until 15th of December 2026", "2026-12-15"),
        ("until December 15, 2026", "2026-12-15"),
        ("till 3 Mai 2027", "2027-05-03"),
        ("access through data-lake through 2027-05-03", "2027-05-03"),
    ],
)
def test_dates_in_both_languages_become_iso(text: str, value: str) -> None:
    found = end_in(f"Please, {text}. Thanks")
    assert found is not None
    assert found.value == value
    assert found.confidence > 0.95
    assert found.evidence[0] in f"Please, {text}. Thanks"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("until Friday", "Friday"),
        ("bis 03/04/27", "03/04/27"),
        ("until 31.02.2027", "31"),
        ("bis Ende Mai", "Mai"),
        ("until the end of the project", "end of the project"),
    ],
)
def test_dates_that_would_be_guessed_stay_words_with_little_confidence(
    text: str, value: str
) -> None:
    found = end_in(text)
    assert found is not None
    assert found.value == value
    assert found.confidence < 0.9


def test_no_end_is_no_end() -> None:
    assert end_in("add me to data-lake") is None
    assert end_in("I work through data-lake") is None


@pytest.mark.parametrize(
    ("text", "read"),
    [(" 31.03.2027 ", "2027-03-31"), ("2027-03-31", "2027-03-31"), ("soon", "soon")],
)
def test_a_forms_date_is_read_where_it_is_beyond_doubt(text: str, read: str) -> None:
    assert read_date(text) == read


def test_names_are_blotted_out_so_that_they_cannot_speak() -> None:
    assert without_names("join reset-password-admins now") == "join " + "·" * 21 + " now"
    assert "groupmark" in masked("join data-lake")
    assert "personmark" in masked("for dan.wolter")


@pytest.mark.parametrize("word", ["AD-Konto", "PW-Reset", "e-mail", "Build-Team", "log-in"])
def test_joined_up_prose_is_no_group(word: str) -> None:
    assert not looks_like_group(word)


def test_clauses_end_where_thoughts_do() -> None:
    assert clauses("Unlock me, please. 1. this\n2) that and those") == [
        "Unlock me", "please", "this", "that", "those"
    ]  # fmt: skip


def test_a_curve_rises_and_never_promises_certainty() -> None:
    decisions = [(n / 100, n > 20) for n in range(100)]
    curve = learn_curve(decisions)
    values = [curve.confidence(n / 100) for n in range(100)]
    assert values == sorted(values)
    assert 0.97 < values[-1] < 1
    assert values[10] < 0.1


def test_few_examples_promise_little() -> None:
    assert learn_curve([(0.9, True), (0.8, True)]).confidence(0.95) == pytest.approx(0.75)
    assert learn_curve([]).confidence(0.99) == 0.0
