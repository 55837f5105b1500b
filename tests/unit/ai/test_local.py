from dataclasses import replace

import pytest

from config.policy import CompiledTierMap
from engine.ai.local import LocalClassifier
from engine.domain.classification import AbstainReason, Classification, ClassifierInput
from engine.errors import ConfigurationError
from engine.ports.training import ActionExamples, CatalogForm, TrainingSet


def ask(
    classifier: LocalClassifier, text: str, description: str = "", **more: object
) -> Classification:
    given = ClassifierInput(short_description=text, description=description)
    (answer,) = classifier.classify([replace(given, **more)])  # type: ignore[arg-type]  # a table of fields
    return answer


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Please reset the password of my account, I forgot it", "reset_password"),
        ("Könnt ihr mein Kennwort zurücksetzen? Hab es vergessen.", "reset_password"),
        ("My account got locked, please unlock", "unlock_account"),
        ("Mein Benutzerkonto ist gesperrt, bitte freischalten", "unlock_account"),
        ("Please add me to the group data-lake", "add_group_member"),
        ("Entfernt mich bitte aus der Gruppe data-lake", "remove_group_member"),
        ("Please disable the account of Dan Wolter, he left the company", "disable_account"),
    ],
)
def test_plain_requests_are_named(classifier: LocalClassifier, text: str, action: str) -> None:
    answer = ask(classifier, text)
    assert answer.intent == action
    assert answer.candidate == action
    assert answer.confidence >= 0.97
    assert answer.abstained is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", AbstainReason.EMPTY),
        ("12345 !?", AbstainReason.EMPTY),
        ("Please do not reset my password", AbstainReason.NEGATED),
        ("Mein Konto bitte nicht entsperren", AbstainReason.NEGATED),
        ("How do I reset my password?", AbstainReason.LOW_CONFIDENCE),
        ("Wie entsperre ich mein Konto? Wo finde ich das?", AbstainReason.LOW_CONFIDENCE),
        ("The printer asks for a password", AbstainReason.LOW_CONFIDENCE),
        ("I forgot the password of my Netflix account", AbstainReason.LOW_CONFIDENCE),
        ("Please reset my password and add me to the group data-lake", AbstainReason.SECOND_INTENT),
        ("Konto entsperren und mich in die Gruppe a-lake aufnehmen", AbstainReason.SECOND_INTENT),
        ("I forgot my password. Also the printer is broken.", AbstainReason.SECOND_INTENT),
        ("Add me to the groups data-lake and crm-team-x", AbstainReason.SECOND_INTENT),
        ("Please disable the accounts of Dan Wolter and Grete Olsen", AbstainReason.LOW_CONFIDENCE),
        ("Disable the account of Dan Wolter, then of Grete Olsen", AbstainReason.SECOND_INTENT),
        ("Reset my pass\u200bword please", AbstainReason.NOVEL),
        ("reset my password " * 500, AbstainReason.LOW_CONFIDENCE),
        ("The quarterly report is due on Monday", AbstainReason.LOW_CONFIDENCE),
        ("Disable account", AbstainReason.LOW_CONFIDENCE),
    ],
)  # fmt: skip
def test_what_is_no_single_clear_request_is_left_to_people(
    classifier: LocalClassifier, text: str, reason: AbstainReason
) -> None:
    answer = ask(classifier, text)
    assert answer.intent == ""
    assert answer.abstained is reason
    assert answer.abstained_because
    assert not answer.parameters


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Please reset the password of Dan Wolter", "Dan Wolter"),
        ("Bitte das Passwort von Herrn Wolter zurücksetzen", "Wolter"),
        ("Please reset the password of dan.wolter", "dan.wolter"),
        ("Please unlock the account of my boss", "my boss"),
        ("Bitte entsperrt das Konto meiner Kollegin", "meiner kollegin"),
    ],
)
def test_somebody_elses_account_is_named_and_never_taken_for_the_requesters(
    classifier: LocalClassifier, text: str, subject: str
) -> None:
    answer = ask(classifier, text)
    if answer.intent:
        assert answer.parameters["subject"].value.lower() == subject.lower()


@pytest.mark.parametrize(
    "text",
    [
        "Please add me to the group data-lake, Farid Nazari already has it",
        "Please add me to the group data-lake. Approved by Howard Johnson",
        "Please grant access to the group data-lake, approved by Howard Johnson",
        "Ich muss Mitglied der Gruppe data-lake werden, genehmigt von Howard Johnson",
        "Bitte nehmt mich in die Gruppe data-lake auf, Farid Nazari hat es auch",
        "Remove me from the group data-lake\ndan.wolter takes over my work",
        "I need to be a member of the group data-lake like Farid Nazari",
        "Please disable my account, Dan Wolter has got the keys",
    ],
)
def test_a_person_who_is_named_beside_the_writer_is_not_taken_for_the_subject(
    classifier: LocalClassifier, text: str
) -> None:
    answer = ask(classifier, text)
    assert answer.intent == ""
    assert not answer.parameters


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Bob Miller here, please add me to the group data-lake", "Bob Miller"),
        ("Please add me to the group data-lake\nBob Miller", "Bob Miller"),
        ("Please disable my account dan.wolter, I am leaving", "dan.wolter"),
        ("Please add Dan Wolter to the group data-lake", "Dan Wolter"),
        (
            "dan.wolter to become member of the group data-lake\nPlease make me a member of it.",
            "dan.wolter",
        ),
    ],
)
def test_a_name_that_the_writer_gives_as_his_own_or_as_the_object_is_the_subject(
    classifier: LocalClassifier, text: str, subject: str
) -> None:
    answer = ask(classifier, text)
    assert answer.intent
    assert answer.parameters["subject"].value == subject


@pytest.mark.parametrize(
    "text",
    [
        "Can you please disable MFA on my account",
        "Please disable two-factor authentication for my account",
        "disable notifications on my account please",
        "Bitte deaktiviert die Zwei-Faktor-Anmeldung an meinem Konto",
        "Bitte MFA für mein Konto deaktivieren",
        "disable sync for the account of dan.wolter",
        "Please disable bob.miller's email forwarding",
        "remove my picture from the group data-lake",
        "Entfernt bitte mein Bild aus der Gruppe data-lake",
    ],
)
def test_what_belongs_to_an_account_is_not_the_account(
    classifier: LocalClassifier, text: str
) -> None:
    assert ask(classifier, text).intent == ""


def test_parameters_come_with_their_words(classifier: LocalClassifier) -> None:
    text = "Please add Carla Humble to the group data-lake until 31 March 2027."
    answer = ask(classifier, text)
    assert {name: guess.value for name, guess in answer.parameters.items()} == {
        "subject": "Carla Humble",
        "group": "data-lake",
        "until": "2027-03-31",
    }
    for guess in answer.parameters.values():
        assert guess.confidence >= 0.95
        assert all(words in text for words in guess.evidence)


def test_a_date_that_would_have_to_be_guessed_lowers_confidence(
    classifier: LocalClassifier,
) -> None:
    answer = ask(classifier, "Please add me to the group data-lake until Friday")
    assert answer.parameters["until"].value == "Friday"
    assert answer.parameters["until"].confidence < 0.9


def test_evidence_is_quoted_letter_by_letter(classifier: LocalClassifier) -> None:
    text = "HELLO! I've FORGOTTEN my Password :-( please reset it"
    answer = ask(classifier, text)
    assert answer.evidence
    assert all(words in text for words in answer.evidence)


def test_the_same_set_gives_the_same_answers_alone_or_in_company(
    policy: CompiledTierMap, classifier: LocalClassifier
) -> None:
    again = LocalClassifier(policy.training(seed=20261120, threshold=None, novelty=None))
    assert again.model == classifier.model
    texts = [
        ClassifierInput(short_description=text, description="")
        for text in ("forgot my password", "the wifi is slow", "unlock my account please", "")
    ]
    together = classifier.classify(texts)
    assert together == tuple(classifier.classify([text])[0] for text in texts)
    assert together == again.classify(texts)
    assert classifier.classify(list(reversed(texts))) == tuple(reversed(together))
    assert classifier.classify([]) == ()


def test_the_model_is_named_after_everything_it_is_made_of(
    policy: CompiledTierMap, classifier: LocalClassifier
) -> None:
    training = policy.training(seed=20261120, threshold=None, novelty=None)
    others = [
        replace(training, seed=1),
        replace(training, threshold=0.95),
        replace(training, novelty=0.1),
        replace(training, routes=training.routes[1:]),
    ]
    names = {LocalClassifier(other).model for other in others}
    assert len(names | {classifier.model}) == 5


def test_a_higher_threshold_leaves_more_to_people(policy: CompiledTierMap) -> None:
    careful = LocalClassifier(policy.training(seed=20261120, threshold=0.999, novelty=None))
    answer = ask(careful, "Please reset my password, I forgot it")
    assert answer.abstained is AbstainReason.LOW_CONFIDENCE
    assert answer.candidate == "reset_password"


def test_triage_fields_follow_the_action_or_the_routing_examples(
    classifier: LocalClassifier,
) -> None:
    answer = ask(classifier, "Please reset my password, I forgot it")
    assert answer.fields["category"].value == "Inquiry / Help"
    assert answer.fields["assignment_group"].value == "Service Desk"
    printer = ask(classifier, "The printer on the third floor has a paper jam")
    assert printer.intent == ""
    assert printer.fields["assignment_group"].value == "Hardware"
    assert not ask(classifier, "Who won the game?").fields


FORM = CatalogForm(id="item-1", variables={"which": "group", "end": "until"}, subject="who")


def with_form(policy: CompiledTierMap) -> LocalClassifier:
    training = policy.training(seed=20261120, threshold=None, novelty=None)
    actions = tuple(
        replace(action, forms=(FORM,)) if action.name == "add_group_member" else action
        for action in training.actions
    )
    return LocalClassifier(replace(training, actions=actions))


@pytest.fixture(scope="module")
def formed(policy: CompiledTierMap) -> LocalClassifier:
    return with_form(policy)


def test_a_form_answers_for_itself(formed: LocalClassifier) -> None:
    variables = {"which": "data-lake", "end": "31.03.2027", "who": "Carla Humble", "other": "x"}
    answer = ask(formed, "Group access", "", catalog_item="item-1", variables=variables)
    assert answer.intent == "add_group_member"
    assert answer.confidence == 1.0
    assert {name: guess.value for name, guess in answer.parameters.items()} == {
        "group": "data-lake",
        "until": "2027-03-31",
        "subject": "Carla Humble",
    }


def test_words_beside_a_form_may_only_add_doubt(formed: LocalClassifier) -> None:
    variables = {"which": "data-lake"}
    doubtful = ask(
        formed,
        "Group access",
        "Also reset my password",
        catalog_item="item-1",
        variables=variables,
    )
    assert doubtful.abstained is AbstainReason.SECOND_INTENT
    other = ask(formed, "x", "Use the group admins-all", catalog_item="item-1", variables=variables)
    assert other.parameters["group"].value == "data-lake"


def test_an_unknown_form_is_read_as_text(formed: LocalClassifier) -> None:
    assert ask(formed, "Please reset my password", "", catalog_item="item-2").intent


def test_too_few_phrases_are_a_configuration_error() -> None:
    one = ActionExamples(name="a", phrases=("only one",))
    with pytest.raises(ConfigurationError, match="two phrases or more"):
        LocalClassifier(TrainingSet(actions=(one,)))


def test_actions_of_an_admins_own_are_learned_from_their_phrases(policy: CompiledTierMap) -> None:
    phrases = (
        "Please extend my mailbox quota",
        "My mailbox is full, I need more space for it",
        "Increase the size of my mailbox please",
        "More mailbox space needed",
        "Bitte mein Postfach vergrößern",
        "Mein Postfach ist voll, ich brauche mehr Speicherplatz dafür",
        "Postfachgröße bitte erhöhen",
        "Mehr Platz im Postfach gewünscht",
    )
    training = policy.training(seed=20261120, threshold=0.7, novelty=None)
    own = ActionExamples(name="extend_mailbox", phrases=phrases)
    classifier = LocalClassifier(replace(training, actions=(*training.actions, own)))
    answer = ask(classifier, "Please increase my mailbox quota, I need more mailbox space")
    assert answer.candidate == "extend_mailbox"
    assert ask(classifier, "Please reset my password, I forgot it").intent == "reset_password"
