import threading
from pathlib import Path

import pytest

from engine.ai.evaluation import load_examples
from engine.ai.lazy import LazyClassifier
from engine.ai.local import LocalClassifier
from engine.domain.classification import ClassifierInput
from engine.errors import ConfigurationError


def test_a_lazy_classifier_is_trained_once_whoever_asks_first(classifier: LocalClassifier) -> None:
    trained: list[int] = []

    def train() -> LocalClassifier:
        trained.append(1)
        return classifier

    lazy = LazyClassifier(train)
    assert not trained
    text = ClassifierInput(short_description="Please reset my password", description="")
    askers = [threading.Thread(target=lazy.classify, args=([text],)) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert lazy.model == classifier.model
    assert lazy.classify([text]) == classifier.classify([text])
    assert len(trained) == 1


@pytest.mark.parametrize("line", ["no json", "[]", '{"id": 1}'])
def test_a_line_that_is_no_example_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"examples\.jsonl:1: is no example"):
        load_examples(path)
