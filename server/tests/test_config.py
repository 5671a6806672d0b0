"""One table of options: where values come from, what is refused, and that what is derived agrees with it."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from roomproof_protocol import PerAddress, Window
from roomproof_server.config import derived
from roomproof_server.config.check import check, settings_of
from roomproof_server.config.gather import Configuration, gather
from roomproof_server.config.kinds import PER_ADDRESS, Kind
from roomproof_server.config.options import OPTIONS
from roomproof_server.settings import Settings

SCHEMA = Draft202012Validator(derived.schema())


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Writes a configuration file and reads it, with more from elsewhere."""

    def write(text: str, environment: dict[str, str] | None = None, **command_line: tuple[str, ...]) -> Configuration:
        path = tmp_path / "server.yaml"
        path.write_text(text)
        return gather(command_line, environment or {}, str(path))

    return write


def checked(**words: str) -> Configuration:
    """The configuration of a command line, as a whole."""
    configuration = gather({name: tuple(text.split()) for name, text in words.items()}, {}, None)
    assert configuration.faults == []
    check(configuration)
    return configuration


def test_precedence(file: Any) -> None:
    environment = {"ROOMPROOF_PORT": "2", "ROOMPROOF_NAME": "variable"}
    configuration = file("port: 1\nname: file\nhost: file\n", environment, port=("3",))
    assert [configuration[name] for name in ("port", "name", "host", "drain")] == [3, "variable", "file", 10.0]
    sources = [configuration.source(name).rpartition("/")[2] for name in ("port", "name", "host", "drain")]
    assert sources == ["--port", "ROOMPROOF_NAME", "server.yaml:3", "default"]


def test_limits_each_for_itself_lists_whole(file: Any) -> None:
    configuration = file(
        "limit: {text_bytes: 1, messages: {count: 1, window_ms: 2}}\norigin: [https://a, https://b]\n",
        {"ROOMPROOF_LIMIT": "text_bytes=2 messages.count=2", "ROOMPROOF_ORIGIN": "https://c https://D/"},
        limit=("text_bytes=3",),
    )
    assert configuration.faults == []
    settings = settings_of(configuration)
    assert (settings.limits.text_bytes, settings.limits.messages.count, settings.limits.messages.window_ms) == (3, 2, 2)
    assert settings.origins == {"https://c", "https://d"}


@pytest.mark.parametrize(
    ("limit", "is_"),
    [
        ("", PER_ADDRESS),
        ("per_address.conns=7", PerAddress(7, PER_ADDRESS.guests, PER_ADDRESS.messages)),
        ("per_address=off", None),
    ],
)
def test_limits_per_address_are_on_unless_switched_off(limit: str, is_: PerAddress | None) -> None:
    assert settings_of(checked(limit=limit)).limits.per_address == is_


@pytest.mark.parametrize("off", ["off", "null", "false"])
def test_limits_per_address_in_the_file(file: Any, off: str) -> None:
    whole = "{conns: 1, guests: {count: 2, window_ms: 3}, messages: {count: 4, window_ms: 5}}"
    settings = settings_of(file(f"limit: {{per_address: {whole}}}"))
    assert settings.limits.per_address == PerAddress(1, Window(2, 3), Window(4, 5))
    assert settings_of(file(f"limit: {{per_address: {off}}}")).limits.per_address is None
    # A part on the command line goes before a whole in the file.
    configuration = file(f"limit: {{per_address: {off}}}", limit=("per_address.conns=9",))
    assert configuration.faults == []
    assert settings_of(configuration).limits.per_address == PerAddress(9, PER_ADDRESS.guests, PER_ADDRESS.messages)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot: 1", "1: unknown option prot; did you mean port?"),
        ("host: a\nport: 70000", "2: port: expected a whole number from 0 to 65535, got 70000"),
        ("port: true", "1: port: expected a whole number"),
        ("port: '1'", "1: port: expected a whole number"),
        ("guests: 1", "1: guests: expected true or false"),
        ("\n\nlimit: {text_byte: 1}", "3: unknown limit text_byte; did you mean text_bytes?"),
        ("limit: {text_bytes: many}", "1: limit text_bytes must be a whole number"),
        ("limit: [1]", "1: limit: expected names of limits"),
        ("limit: {messages: {count: 1, window: 2}}", "window_ms"),
        ("origin: https://a", "1: origin: expected a list"),
        ("unix_mode: 0660", "1: unix_mode: expected three octal digits in quotes"),
        ("trusted_proxy: [10.0.0.1/8]", "1: trusted_proxy: expected an address or a network"),
        ("log_format: xml", "1: log_format: expected one of json, text"),
        ("port: 1\nport: 2", "2: port is given twice"),
        ("- port", "1: expected names of options"),
        ("a: [", "not YAML"),
        ("host: !!python/object:os.system {}", "1: host: "),
    ],
)
def test_faults_of_the_file_have_their_line(file: Any, text: str, says: str) -> None:
    (fault,) = file(text).faults
    assert says in fault
    assert "server.yaml:" in fault
    assert "\n" not in fault


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_changes_nothing(file: Any, text: str) -> None:
    assert file(text).faults == []


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (fault,) = gather({}, {"ROOMPROOF_CONFIG": str(tmp_path / "none.yaml")}, None).faults
    assert "No such file" in fault
    (tmp_path / "latin").write_bytes(b"\xe9")
    (fault,) = gather({}, {}, str(tmp_path / "latin")).faults
    assert "UTF-8" in fault


def test_variables() -> None:
    environment = {"ROOMPROOF_PRT": "1", "ROOMPROOF_GUESTS": "off", "ROOMPROOF_STATE": "x", "ROOMPROOF_DRAIN": "soon"}
    configuration = gather({}, environment, None)
    assert configuration.warnings == ["ROOMPROOF_PRT: no such setting; did you mean ROOMPROOF_PORT?"]
    assert configuration["guests"] is False
    assert configuration.faults == ["ROOMPROOF_DRAIN: expected a number from 0 to 3600, got 'soon'"]


def test_names_of_files_are_relative_to_the_file(file: Any, tmp_path: Path) -> None:
    configuration = file("jwt_key: keys/a.pem\nstore: /data/x.db\ntls_key: k\n", jwt_audience=("a",))
    assert configuration["jwt_key"] == tmp_path / "keys/a.pem"
    assert configuration["tls_key"] == tmp_path / "k"
    assert configuration["store"] == Path("/data/x.db")
    assert file("store: memory")["store"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"jwt_audience": "x"}, "--jwt-audience: jwt_audience means nothing without jwt_key"),
        ({"guests": "no"}, "nobody can connect"),
        ({"jwt_key": "/none"}, "--jwt-key: cannot read /none: No such file"),
        ({"tls_key": "x"}, "means nothing without tls_certificate"),
        ({"tls_key": "/none", "tls_certificate": "/none"}, "--tls-certificate: cannot read /none"),
        ({"forwarded_header": "forwarded"}, "means nothing without trusted_proxy"),
        ({"unix_mode": "600"}, "means nothing without unix"),
        ({"limit": "text_bytes=20000"}, "does not fit into frame_bytes"),
        ({"store": "/none/such/rooms.db"}, "--store: /none/such is no folder"),
    ],
)
def test_contradictions(words: dict[str, str], says: str) -> None:
    (fault,) = checked(**words).faults
    assert says in fault


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "count as loopback"),
        ({"host": "0.0.0.0"}, "no TLS"),
        ({"trusted_proxy": "0.0.0.0/0"}, "is everybody"),
        ({"limit": "per_address=off"}, "any number of messages"),
        ({"limit": "history=500"}, "server_frame_bytes"),
        ({"store": "memory"}, "a restart forgets"),
    ],
)
def test_warnings(words: dict[str, str], says: str) -> None:
    configuration = checked(**words)
    assert configuration.faults == []
    assert any(says in warning for warning in configuration.warnings)


def test_a_proxy_on_this_machine_that_is_named_is_no_warning() -> None:
    assert checked(trusted_proxy="127.0.0.1").warnings == []
    assert settings_of(checked(trusted_proxy="::1 10.0.0.0/8")).trusted_proxies == (
        ip_network("::1"), ip_network("10.0.0.0/8"),
    )  # fmt: skip


def test_defaults_are_those_of_the_settings() -> None:
    made, plain = settings_of(checked()), Settings()
    differ = {name for name in Settings.__dataclass_fields__ if getattr(made, name) != getattr(plain, name)}
    # An embedded server keeps nothing and limits nobody unless it is told to.
    assert differ == {"limits", "store", "version"}


class TestDerived:
    def test_is_current(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert derived.main(["--check"]) == 0, capsys.readouterr().err

    def test_the_schema_is_one_and_closed(self) -> None:
        Draft202012Validator.check_schema(derived.schema())
        assert derived.schema()["properties"].keys() == OPTIONS.keys()
        assert not SCHEMA.is_valid({"prot": 1})
        shipped = Path(derived.__file__).with_name("configuration.schema.json")
        assert json.loads(shipped.read_text()) == derived.schema()

    def test_defaults_fit_the_schema(self) -> None:
        properties = derived.schema()["properties"]
        assert SCHEMA.is_valid({name: row["default"] for name, row in properties.items() if "default" in row})

    @pytest.mark.parametrize("name", OPTIONS)
    def test_schema_and_reading_agree(self, name: str) -> None:
        values: list[Any] = [
            None, True, False, 0, 1, -1, 2.5, 70000, 10**9, "", "x", "660", "0660", "json", "JSON", "forwarded",
            "memory", "sqlite", "sqlite:a.db", "a.db", "a:b.db", ".db", "10.0.0.0/8", [], {}, ["x"], [1],
            ["10.0.0.0/8"],
        ]  # fmt: skip
        for value in values:
            if name == "trusted_proxy" and value == ["x"]:
                continue  # addresses are more than the schema says
            if name in ("log_format", "forwarded_header") and value == "JSON":
                continue  # and words may be in capitals
            try:
                OPTIONS[name].kind.load(value)
                read = True
            except ValueError:
                read = False
            assert SCHEMA.is_valid({name: value}) == read, (name, value)

    def test_the_example_of_the_page_is_right(self, file: Any) -> None:
        text = derived.page().partition("```yaml\n")[2].partition("```")[0]
        assert SCHEMA.is_valid(yaml.safe_load(text))
        assert file(text).faults == []

    def test_every_option_is_on_the_page(self) -> None:
        assert [option.flag for option in OPTIONS.values() if f"`{option.flag}" not in derived.page()] == []


def test_a_text_is_one_line() -> None:
    with pytest.raises(ValueError, match="a text"):
        Kind().load("a\nb")
