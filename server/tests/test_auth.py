"""Key files and tokens: what is accepted, and that nothing in a token chooses how it is checked."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from roomproof_protocol import ProtocolError
from roomproof_server.auth.keys import Key, KeyFault, KeyFile, Keys, read_keys
from roomproof_server.auth.tokens import TokenVerifier
from roomproof_server.settings import JwtSettings

NOW = 1_700_000_000
SECRET = "0123456789abcdef" * 2
RSA = rsa.generate_private_key(65537, 2048)
SMALL_RSA = rsa.generate_private_key(65537, 1024)
ED = ed25519.Ed25519PrivateKey.generate()
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
PRIVATE: dict[str, Any] = {"RS256": RSA, "EdDSA": ED, "ES256": EC, "HS256": SECRET}


def pem(private: Any) -> str:
    return str(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def jwk(algorithm: str, kid: str | None = None, **more: Any) -> dict[str, Any]:
    key = PRIVATE[algorithm]
    row = jwt.get_algorithm_by_name(algorithm).to_jwk(key if key is SECRET else key.public_key(), as_dict=True)
    return {**row, **({"kid": kid} if kid else {}), **more}


def sign(algorithm: str = "HS256", *, key: Any = None, kid: str | None = None, **claims: Any) -> str:
    claims = {"sub": "ann", "exp": NOW + 60, "aud": "chat", **claims}
    present = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(present, key or PRIVATE[algorithm], algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def verifier(tmp_path: Path) -> Any:
    """Makes the verifier of a key file with this content."""

    def make(content: str = SECRET, **settings: Any) -> TokenVerifier:
        path = tmp_path / "key"
        path.write_text(content)
        made = JwtSettings(**{"key": path, "audience": "chat", **settings})
        return TokenVerifier(made, KeyFile(path, lambda: 0.0).keys, lambda: NOW * 1000)

    return make


def refused(verify: TokenVerifier, token: str) -> str:
    with pytest.raises(ProtocolError) as refusal:
        verify(token)
    assert token not in refusal.value.message
    return refusal.value.code


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_each_kind_of_key(verifier: Any, algorithm: str) -> None:
    content = SECRET + "\n" if algorithm == "HS256" else pem(PRIVATE[algorithm])
    user = verifier(content)(sign(algorithm, name="Ann"))
    assert (user.id, user.name, user.expires_at) == ("ann", "Ann", (NOW + 60) * 1000)


@pytest.mark.parametrize("algorithm", [name for name in PRIVATE if name != "HS256"])
def test_a_public_key_is_no_secret(verifier: Any, algorithm: str) -> None:
    verify = verifier(pem(PRIVATE[algorithm]))
    body = sign().split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    for secret in (pem(PRIVATE[algorithm]), pem(PRIVATE[algorithm]).strip()):
        # PyJWT would not sign with a PEM.
        mac = base64.urlsafe_b64encode(hmac.digest(secret.encode(), f"{head}.{body}".encode(), "sha256"))
        assert refused(verify, f"{head}.{body}.{mac.rstrip(b'=').decode()}") == "unauthenticated"


@pytest.mark.parametrize("content", [SECRET, pem(ED), json.dumps({"keys": [jwk("RS256"), jwk("HS256", "a")]})])
def test_unsigned_tokens(verifier: Any, content: str) -> None:
    verify = verifier(content)
    unsigned = jwt.encode({"sub": "ann", "exp": NOW + 60, "aud": "chat"}, "", algorithm="none")
    signed = sign("EdDSA").rpartition(".")[0]
    for token in (unsigned, f"{signed}.", signed):
        assert refused(verify, token) == "unauthenticated"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "else"}, "unauthenticated"),
        ({"aud": ...}, "unauthenticated"),
        ({"exp": ...}, "unauthenticated"),
        ({"sub": ...}, "unauthenticated"),
        ({"sub": ""}, "unauthenticated"),
        ({"sub": "guest:0123456789abcdef"}, "unauthenticated"),
        ({"sub": "two words"}, "unauthenticated"),
        ({"sub": "é"}, "unauthenticated"),
        ({"sub": "x" * 129}, "unauthenticated"),
        ({"nbf": NOW + 3}, "unauthenticated"),
        ({"nbf": True}, "unauthenticated"),
        ({"exp": "soon"}, "unauthenticated"),
        ({"exp": 1e300}, "unauthenticated"),
        ({"exp": 2**53}, "unauthenticated"),
        ({"exp": -1}, "unauthenticated"),
        ({"exp": NOW}, "token_expired"),
        ({"exp": NOW - 1}, "token_expired"),
        ({"exp": 0}, "token_expired"),
    ],
)
def test_claims_that_do_not_do(verifier: Any, claims: dict[str, Any], code: str) -> None:
    assert refused(verifier(), sign(**claims)) == code


def test_an_expired_token_that_is_not_ours_is_no_expired_token(verifier: Any) -> None:
    assert refused(verifier(), sign(key="x" * 32, exp=NOW - 1)) == "unauthenticated"
    assert refused(verifier(), sign(aud="else", exp=NOW - 1)) == "unauthenticated"


@pytest.mark.parametrize(
    "claims", [{"nbf": NOW + 2}, {"nbf": NOW - 9}, {"aud": ["x", "chat"]}, {"iat": NOW + 99}, {"sub": "x" * 128}]
)
def test_claims_that_do(verifier: Any, claims: dict[str, Any]) -> None:
    assert verifier()(sign(**claims)).id == claims.get("sub", "ann")


def test_audience_and_issuer_where_they_are_asked_for(verifier: Any) -> None:
    assert verifier(audience=None)(sign(aud=...)).id == "ann"
    assert refused(verifier(audience=None), sign()) == "unauthenticated"  # meant for somebody (RFC 7519, 4.1.3)
    assert verifier(issuer="me")(sign(iss="me")).id == "ann"
    assert refused(verifier(issuer="me"), sign()) == "unauthenticated"
    assert refused(verifier(issuer="me"), sign(iss="you")) == "unauthenticated"


@pytest.mark.parametrize(
    ("claim", "name"),
    [(..., None), ("Zoe\u0308", "Zo\u00eb"), (" x", "ann"), ("x" * 33, "ann"), (7, "ann"), ("", "ann")],
)
def test_names(verifier: Any, claim: object, name: str | None) -> None:
    assert verifier()(sign(name=claim)).name == name


@given(st.text(max_size=60) | st.builds("{}.{}.{}".format, *[st.binary(max_size=30).map(base64.urlsafe_b64encode)] * 3))
def test_whatever_comes_for_a_token(text: str) -> None:
    keys = Keys((Key("HS256", SECRET.encode()),))
    verify = TokenVerifier(JwtSettings(Path("x")), lambda: keys, lambda: 0)
    with pytest.raises(ProtocolError, match="unauthenticated"):
        verify(text)


class TestKeySets:
    def test_the_kid_chooses_among_several(self, verifier: Any) -> None:
        rows = [jwk("RS256", "a"), jwk("EdDSA", "b"), jwk("ES256")]
        verify = verifier(json.dumps({"keys": rows}))
        assert verify(sign("RS256", kid="a")).id == "ann"
        assert verify(sign("EdDSA", kid="b")).id == "ann"
        assert verify(sign("EdDSA")).id == "ann"  # whichever fits
        assert verify(sign("ES256", kid="zzz")).id == "ann"  # the key without a name
        assert refused(verify, sign("EdDSA", kid="a")) == "unauthenticated"
        assert refused(verify, sign("RS256", kid="zzz")) == "unauthenticated"

    def test_keys_that_are_passed_over(self, tmp_path: Path) -> None:
        odd = [
            jwk("RS256", "e", use="enc"),
            jwk("RS256", "x", alg="RS512"),
            {"kty": "lattice"},
            jwk("HS256", "n", alg="none"),
            jwk("HS256", "s", k="c2hvcnQ"),
        ]
        path = tmp_path / "keys"
        path.write_text(json.dumps({"keys": [*odd, jwk("EdDSA", "good")]}))
        keys = read_keys(path)
        assert [key.kid for key in keys.keys] == ["good"]
        assert len(keys.passed_over) == len(odd)

    def test_a_single_key_will_do(self, verifier: Any) -> None:
        assert verifier(json.dumps(jwk("EdDSA")))(sign("EdDSA")).id == "ann"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("short", "at least 32 bytes, this file has 5"),
        ("", "at least 32 bytes"),
        ("-----BEGIN PUBLIC KEY-----\nx", "is no public key"),
        (ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), "the public one only"),
        (pem(SMALL_RSA), "2048 bits"),
        (pem(EC_384), "P-256"),
        ("{", "is none"),
        ('{"keys": {}}', "expected a JSON Web Key Set"),
        ('{"keys": []}', "none of its 0 keys"),
        (json.dumps({"keys": [jwk("EdDSA", "a"), jwk("ES256", "a")]}), "the same kid"),
    ],
)
def test_files_that_are_no_keys(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(KeyFault, match=says) as fault:
        read_keys(path)
    assert "\n" not in str(fault.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFault, match="No such file"):
        KeyFile(tmp_path / "none", lambda: 0.0)


def test_a_changed_file_is_read_again_but_not_at_every_look(tmp_path: Path) -> None:
    path, clock = tmp_path / "key", [0.0]
    path.write_text(SECRET)
    file = KeyFile(path, lambda: clock[0])
    first = file.keys()
    path.write_text("y" * 40)
    assert file.keys() is first
    clock[0] = 2_000.0
    second = file.keys()
    assert second.keys[0].material == b"y" * 40
    path.write_text("too short")
    clock[0] = 4_000.0
    assert file.keys() is second
    path.unlink()
    clock[0] = 6_000.0
    assert file.keys() is second
    path.write_text(SECRET)
    clock[0] = 8_000.0
    assert file.keys() == first
