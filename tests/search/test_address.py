"""Storage URLs: which are read, what people see of them, and what of their secrets is left in messages."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from search.address import StorageUrlError, url_address
from search.run import run_study
from search.storage import StorageError
from search.study import StudySpec


def test_the_password_is_for_sqlalchemy_and_not_for_people() -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    address = url_address("postgresql://somebody:s3%40cret@db.invalid:5433/studies?sslpassword=0ther")
    assert address.shown == "postgresql://db.invalid:5433/studies"
    assert "somebody:s3%40cret@db.invalid" in address.url
    assert "s3" not in repr(address)
    message = (
        "cannot connect with postgresql://somebody:s3%40cret@db.invalid: s3@cret is not the word\nof somebody, 0ther"
    )
    assert (
        address.quoted(OSError(message))
        == "cannot connect with postgresql://***@db.invalid: *** is not the word of ***, ***"
    )


@pytest.mark.parametrize(
    "user",
    [
        "somebody:s3/cret",
        "somebody:s3@s3cret",
        "some/body:s3cret",
        "somebody:s3?cret",
        "somebody:p@s3cret/wort",
        "somebody:@/s3cret",
    ],
)
def test_a_password_that_is_not_quoted_is_hidden_all_the_same(user: str) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    address = url_address(f"postgresql://{user}@db.invalid/studies")
    assert "cret" not in address.shown
    assert "body" not in address.shown
    assert address.shown in ("postgresql://db.invalid/studies", "postgresql://***")
    assert address.quoted(OSError(f"{user}@db.invalid s3cret")).count("cret") <= user.count("?")


@pytest.mark.parametrize(
    ("user", "message", "shown"),
    [
        (
            "u:p",
            'connection to u:p@127.0.0.1 failed: password "p" of user "u" is not up to date',
            'connection to ***@127.0.0.1 failed: password "***" of user "***" is not up to date',
        ),
        ("u:p%40ss", "p@ss, p%40ss or u:p%40ss", "***, *** or ***"),
        ("u:p%20s%40", "p s@, p s%40, p%20s%40, p  s@", "***, ***, ***, p s@"),
        ("u:a%20%20b", "the word a  b is wrong", "the word *** is wrong"),
        ("me:%C3%A9%C3%A8", "éè and %C3%A9%C3%A8, not déèjà", "*** and ***, not déèjà"),
    ],
)
def test_short_and_quoted_secrets_are_hidden_and_the_rest_can_be_read(user: str, message: str, shown: str) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    assert url_address(f"postgresql://{user}@127.0.0.1:1/x").quoted(OSError(message)) == shown


@pytest.mark.parametrize(
    "url",
    ["", "s3cret", "postgresql//u:s3cret@host/db", "postgresql://host:s3cret/db", "postgresql://u:s3cret@host:port/db"],
)
def test_a_malformed_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(StorageUrlError, match="cannot be read; write one such as postgresql://") as caught:
        url_address(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_kind_of_database_is_named() -> None:
    url = "nosuch://somebody:s3cret@host.invalid/db"
    with pytest.raises(StorageUrlError, match="begins with nosuch://, which is no database") as caught:
        url_address(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://somebody:s3cret@host.invalid/db", r"needs psycopg: install the extra `postgresql`"),
        ("mysql://somebody:s3cret@host.invalid/db", r"mysql://host.invalid/db: needs MySQLdb: pip install mysqlclient"),
        ("mysql+pymysql://somebody:s3cret@host.invalid/db", r"needs pymysql: pip install pymysql"),
    ],
)
def test_a_missing_package_is_named_with_how_to_install_it(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("psycopg", "MySQLdb", "pymysql"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(StorageError, match=said) as caught:
        url_address(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_mistake_in_the_url_shows_before_anything_is_written(tmp_path: Path) -> None:
    spec = StudySpec.model_validate(
        {"name": "s", "space": {"losses.l1_weight": {"type": "float", "low": 1.0, "high": 2.0}}}
    )
    with pytest.raises(StorageUrlError):
        run_study(spec, results=tmp_path / "results", storage="nosuch://host/db")
    assert not (tmp_path / "results").exists()
