"""Settings: where they come from, which of several counts, and how what cannot be is refused."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from catalog.errors import DatabaseError
from flightserver.configuration import described
from flightserver.configuration.sources import Given, configure, configured, from_text
from flightserver.settings import LIVE, Settings


def refusal(**given: object) -> str:
    """What is said of settings that cannot be."""
    with pytest.raises(DatabaseError) as refused:
        configured({key.replace("__", "."): Given(value, "here") for key, value in given.items()})
    return refused.value.message


def test_later_sources_win(tmp_path: Path) -> None:
    """A flag wins over the environment, that over the file, that over the default; each value knows its source."""
    file = tmp_path / "f.toml"
    file.write_text("statements_max = 1\nqueue_max = 1\nport = 1\n")
    environment = {"FLIGHTSERVER_STATEMENTS_MAX": "2", "FLIGHTSERVER_QUEUE_MAX": "2", "HOME": "x"}
    found = configure(file, environment, {"host": None, "port": 3}, ["statements_max=4"])
    settings = found.settings
    assert (settings.statements_max, settings.queue_max, settings.port, settings.host) == (4, 2, 3, "127.0.0.1")
    origins = [found.origin(key) for key in ("statements_max", "queue_max", "port", "host")]
    assert origins == ["flag --set statements_max", "environment FLIGHTSERVER_QUEUE_MAX", "flag --port", "default"]


def test_a_table_is_set_key_by_key(tmp_path: Path) -> None:
    """Part of it may stand in the file and part in the environment."""
    file = tmp_path / "f.toml"
    file.write_text("[jwt]\nissuer = 'i'\naudience = 'a'\nalgorithms = ['RS256']\n")
    environment = {"FLIGHTSERVER_JWT__KEY_FILE": "k.pem", "FLIGHTSERVER_JWT__ALGORITHMS": "RS256, ES256"}
    jwt = configure(file, environment).settings.jwt
    assert jwt is not None
    assert (jwt.issuer, jwt.key_file, jwt.algorithms) == ("i", Path("k.pem"), ("RS256", "ES256"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"port": 70_000}, "port = 70000 (here) must be a whole number from 0 to 65535"),
        ({"port": "x"}, "port = 'x' (here) must be a whole number from 0 to 65535"),
        ({"port": True}, "port = True (here) must be a whole number from 0 to 65535"),
        ({"audit_retention_d": 0}, "audit_retention_d = 0 (here) must be a number above 0"),
        ({"query_timeout_s": float("nan")}, "query_timeout_s = nan (here) must be a number from 0 on"),
        ({"durability": "maybe"}, "durability = 'maybe' (here) must be one of sync, async"),
        ({"dev": "perhaps"}, "dev = 'perhaps' (here) must be true or false"),
        ({"prot": 1}, "there is no prot (here); did you mean port?"),
        ({"jwt__issuer": "i", "jwt__key_file": "k"}, "jwt.audience is missing; it must be a text"),
        ({"jwt__issuer": "i", "jwt__audience": "a"}, "jwt: name either a key_file or a jwks_file"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    """With the key, the value, where it stands, and what may be."""
    assert refusal(**given) == f"settings: {message}"


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to start a server as often as there are mistakes in its settings."""
    assert refusal(port=-1, queue_max=-1).count("must be") == 2


@pytest.mark.parametrize("name", ["FLIGHTSERVER_PORTS", "FLIGHTSERVER_PASSWORT"])
def test_a_variable_that_is_no_setting_is_refused(name: str) -> None:
    """By its name; its value may be a secret that was put wrong. Those of clients are none of the server's business."""
    with pytest.raises(DatabaseError, match=name) as refused:
        configure(environment={name: "hush", "FLIGHTSERVER_PASSWORD": "x"})
    assert "hush" not in refused.value.message


def test_nothing_in_a_variable_is_none() -> None:
    """So that it can take back what the file says."""
    assert configure(environment={"FLIGHTSERVER_TLS_KEY_FILE": ""}).settings.tls_key_file is None


def test_every_default_is_read_back_from_its_text() -> None:
    """What is told of a value can be given for it."""
    for key, field in described.all_fields().items():
        if not key.startswith(("jwt.", "cluster.")):
            text = described.told(field, field.default).replace(described.NOT_SET, "")
            assert described.value_of(configure(assignments=[f"{key}={text}"]).settings, key) == field.default


def test_a_secret_is_never_told() -> None:
    """Neither its value nor, where it is refused, what was given for it."""

    class WithSecret(Settings):
        key: SecretStr | None = Field(None, min_length=4)

    field = described.fields_of(WithSecret)["key"]
    assert described.is_secret(field)
    assert described.told(field, SecretStr("hush")) == described.UNTOLD
    assert "hush" not in repr(from_text(field, "") or WithSecret.model_validate({"key": "hushhush"}))


def test_what_changes_while_the_server_runs_is_a_setting_and_no_secret() -> None:
    """Statements are listed and recorded with their text."""
    fields = described.all_fields()
    assert set(fields) >= LIVE
    assert not [key for key in LIVE if described.is_secret(fields[key]) or described.is_path(fields[key])]
