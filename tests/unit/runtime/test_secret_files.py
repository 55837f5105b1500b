"""A secret's file that everybody may read is told, with its remedy."""

from pathlib import Path

import pytest

from config.document import Plain
from config.secrets import SecretSource
from engine.runtime.secret_files import check_secrets


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, False), (0o644, True)])
def test_only_a_file_that_every_account_may_read_is_told(
    tmp_path: Path,
    mode: int,
    is_told: bool,  # noqa: FBT001  a column of the table
) -> None:
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    (tmp_path / "token").chmod(mode)
    source = SecretSource(environment={}, base=tmp_path)
    data: Plain = {
        "systems": [{"auth": {"token": "file:token", "user": "env:USER"}}],
        "key": "file:none",
    }
    told = check_secrets(source.files(data))
    assert [str(tmp_path / "token") in one.seen and "chmod" in one.remedy for one in told] == (
        [True] * is_told
    )
    assert "secret," not in str(told)
