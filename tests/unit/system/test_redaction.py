"""Redaction removes secrets and keeps all other text."""

import base64
import html
import json
import re
import textwrap
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hubpod.system.redaction import MARK, Redactor, find_lines

secrets = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=8).filter(
    lambda secret: len(secret.strip()) >= 8
)
innocent = st.text("bcfghjlmnq \n.,()[]/-0123456789é")
fragments = st.lists(
    st.one_of(
        innocent,
        st.sampled_from(
            [
                *("eyJhbGciOiJub25lIn0.e30.", ".", "Authorization: ", "Cookie: ", "Set-Cookie: ", "a=b; c=d", '"', "'"),
                *("\\", "=", ":", ";", "&", "_xsrf=", "API_TOKEN=", '"password": "', "token", "\n", MARK, "[", "]"),
                *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", '<input name="_xsrf" value="', ">"),
                "hunter22hunter22",
            ]
        ),
    )
).map("".join)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzaG9ydF9uYW1lIjoidXNlcjAxIn0.c2lnbmF0dXJl_-"
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"


def forms(secret: str) -> list[str]:
    """Return the forms in which the tools of a stack write a secret."""
    raw = secret.encode()
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        html.escape(secret),
        html.escape(secret).replace("&#x27;", "&#39;"),
        "".join(f"%{byte:02X}" for byte in raw),
        raw.hex(),
        raw.hex().upper(),
        raw.hex(" "),
        raw.hex(":"),
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
    ]


@given(st.lists(secrets, min_size=1, max_size=3), fragments, fragments)
def test_no_form_of_a_secret_survives(known: list[str], before: str, after: str) -> None:
    """A known secret is redacted at every position and in every form."""
    redactor = Redactor(known)

    for secret in known:
        for form in forms(secret):
            assert form not in redactor.text(before + form + after)


@given(secrets, st.text("abc:", max_size=4), st.text("abc:", max_size=4))
def test_a_secret_inside_base64_does_not_survive(secret: str, before: str, after: str) -> None:
    """A password is redacted inside basic authentication, which encodes it with the name.

    The rest of the encoded text does not reveal the password.
    """
    encoded = base64.b64encode((before + secret + after).encode()).decode()

    assert encoded not in Redactor([secret]).text(f"value {encoded} end")
    assert MARK in Redactor([secret]).text(f"value {encoded} end")


def rest_of_base64(redacted: str, secret: str) -> list[str]:
    """Return pieces of a secret's base64 that remain in a redacted text, for any alignment."""
    cores = (base64.b64encode(bytes(before) + secret.encode()).decode()[before and 2 : -4] for before in range(3))
    left = re.sub(r"[^A-Za-z0-9+/]", "", redacted)
    return [core[at : at + 8] for core in cores for at in range(len(core) - 7) if core[at : at + 8] in left]


@pytest.mark.parametrize(
    "newline", ["\n", "\r\n", "\\n", "\n    ", "\n2026-11-21T08:16:50.140000000Z ", "\npod-zenith app "]
)
@pytest.mark.parametrize("columns", [60, 64, 76])
def test_a_secret_in_wrapped_base64_does_not_survive(columns: int, newline: str) -> None:
    """A document in base64 hides its secret at no offset, whatever its lines begin with."""
    secret = "k9#Qz/7wX+pL~m&Vt2-Rb5"
    redactor = Redactor([secret])
    for before in range(2 * columns):
        document = json.dumps({"port": "1" * before, "auth_oidc_client_secret": secret, "next": "value"})
        lines = textwrap.wrap(base64.b64encode(document.encode()).decode(), columns)
        text = f"SEND_CONFIGURATION{newline}" + newline.join([*lines, "END_CONFIGURATION"])

        redacted = redactor.text(text)

        assert not rest_of_base64(redacted, secret), before
        assert "END_CONFIGURATION" in redacted


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_inside_of_a_url_does_not_survive(encode: Callable[[bytes], bytes]) -> None:
    """Base64 is found where a URL or JSON escapes its characters."""
    secret = "~~~???>>>subjects?_d"  # has both characters that the two alphabets differ in
    encoded = encode(secret.encode()).decode()

    for form in (encoded, quote(encoded, safe=""), encoded.replace("/", "\\/"), encoded.replace("/", "%2f")):
        assert form.rstrip("=") not in Redactor([secret]).text(f"a {form} b")


def test_every_secret_of_a_log_is_redacted() -> None:
    """All occurrences of all secrets are redacted, in every line."""
    known = ["hunter22hunter22", "other-secret-of-a-test"]
    encoded = [base64.b64encode(secret.encode()).decode() for secret in known]
    log = "\n".join([*known, "x", *encoded, *known, f"{known[0]} {known[1]} {known[0]}"])

    redacted = Redactor(known).text(log)

    assert redacted.replace(MARK, "").replace("=", "").split() == ["x"]
    assert find_lines(log, known) == [1, 2, 4, 5, 6, 7, 8]


@given(st.lists(secrets, max_size=3), innocent)
def test_innocent_text_is_unchanged(known: list[str], text: str) -> None:
    """A text without a secret, or its shape, stays the same."""
    if not any(form in text for secret in known for form in forms(secret)):
        assert Redactor(known).text(text) == text


@given(st.lists(st.one_of(secrets, st.sampled_from(["hunter22hunter22", "redacted", "[red"])), max_size=3), fragments)
def test_redacting_twice_changes_nothing(known: list[str], text: str) -> None:
    """A second redaction changes nothing."""
    redactor = Redactor(known)
    once = redactor.text(text)

    assert redactor.text(once) == once


@given(st.binary(), st.binary())
def test_binary_data_is_kept(before: bytes, after: bytes) -> None:
    """In binary data only the secret is redacted."""
    whole = b"\xff" + before + b"\xff%b\xff" + after + b"\xff"
    assume(Redactor([]).data(whole) == whole)  # without the shape of a secret

    redacted = Redactor(["hunter22hunter22"]).data(whole.replace(b"%b", b"hunter22hunter22"))

    assert redacted == whole.replace(b"%b", MARK.encode())


@example(before=b"", after=b"xsrf=")
@example(before=b"-----BEGIN A PRIVATE KEY-----", after=b"")
@given(st.binary(), st.binary())
def test_a_secret_among_bytes_does_not_survive(before: bytes, after: bytes) -> None:
    """A secret is redacted between any other bytes."""
    assert b"hunter22hunter22" not in Redactor(["hunter22hunter22"]).data(before + b"hunter22hunter22" + after)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"the token {JWT} was", f"the token {MARK} was"),
        (f"unsigned {JWT.rpartition('.')[0]}. ok", f"unsigned {MARK} ok"),
        ("encrypted eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn.", f"encrypted {MARK}."),
        (f"key:\n{PEM}\nrest", f"key:\n{MARK}\nrest"),
        (json.dumps({"key": PEM, "next": 1}), json.dumps({"key": MARK, "next": 1})),
        ("Authorization: token abc def\nHost: h", f"Authorization: {MARK}\nHost: h"),
        ("{'Authorization': 'Bearer abc', 'Host': 'h'}", f"{{'Authorization': '{MARK}', 'Host': 'h'}}"),
        ("X-XSRFToken: 2|abc|def", f"X-XSRFToken: {MARK}"),
        ("X-Auth-Id-Token: not.a.token", f"X-Auth-Id-Token: {MARK}"),
        (
            'Cookie: _xsrf=MnwxfDA; jupyterhub-session-id=ab12; login="2|1:0|x"',
            f"Cookie: _xsrf={MARK}; jupyterhub-session-id={MARK}; login={MARK}",
        ),
        ('{"Cookie": "a=b; c=d", "x": 1}', f'{{"Cookie": "a={MARK}; c={MARK}", "x": 1}}'),
        ("Set-Cookie: sid=ab12; Path=/hub/; HttpOnly", f"Set-Cookie: sid={MARK}; Path=/hub/; HttpOnly"),
        ("<Cookie sid=ab12 for 127.0.0.1/hub/>", f"<Cookie sid={MARK} for 127.0.0.1/hub/>"),
        ("302 POST /hub/spawn?_xsrf=abc&x=1 (a@b)", f"302 POST /hub/spawn?_xsrf={MARK}&x=1 (a@b)"),
        (r"?password=a\\b\c next", f"?password={MARK} next"),
        ("GET /hub/?access_token=abc HTTP/1.1", f"GET /hub/?access_token={MARK} HTTP/1.1"),
        ("JUPYTERHUB_API_TOKEN=a b'c\nHOME=/root", f"JUPYTERHUB_API_TOKEN={MARK}\nHOME=/root"),
        (
            '"Env": ["JUPYTERHUB_CRYPT_KEY=0a1b", "DEPLOY_CONFIG_DUMMY_AUTH_PASSWORD=a \\"b", "A=1"]',
            f'"Env": ["JUPYTERHUB_CRYPT_KEY={MARK}", "DEPLOY_CONFIG_DUMMY_AUTH_PASSWORD={MARK}", "A=1"]',
        ),
        ('{"api_token": "a\\"b", "name": "n"}', f'{{"api_token": "{MARK}", "name": "n"}}'),
        ('"{\\"password\\": \\"abc\\", \\"n\\": 1}"', f'"{{\\"password\\": \\"{MARK}\\", \\"n\\": 1}}"'),
        ('window.jhdata = {xsrf_token: "abc", user: "n"}', f'window.jhdata = {{xsrf_token: "{MARK}", user: "n"}}'),
        ('<input type="hidden" name="_xsrf" value="abc"/>', f'<input type="hidden" name="_xsrf" value="{MARK}"/>'),
        ('<input value="abc" name="_xsrf">', f'<input value="{MARK}" name="_xsrf">'),
    ],
)
def test_the_shape_of_a_secret_is_redacted(text: str, redacted: str) -> None:
    """Tokens, keys, cookies and passwords are redacted by shape. Names and other text stay."""
    assert Redactor([]).text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "[I 2026-11-21 08:16:50.140 JupyterHub base:1033] User logged in: testuser",
        '"token_endpoint": "http://issuer:9000/token", "tokens": 3, "expires_in": 60',
        "slurmctld: _slurm_rpc_submit_batch_job: JobId=2 InitPrio=1 usec=1004",
    ],
)
def test_ordinary_lines_are_kept(text: str) -> None:
    """Log lines that only mention logins and tokens stay readable."""
    assert Redactor(["hunter22hunter22"]).text(text) == text


def test_a_binary_secret_is_redacted() -> None:
    """A secret that is not text is redacted as bytes and in base64."""
    secret = bytes(range(128, 150))
    text = b"a " + secret + b" b " + base64.b64encode(secret)

    assert Redactor([secret.decode(errors="surrogateescape")]).data(text) == b"a [redacted] b [redacted]=="


def test_a_truncated_key_is_redacted() -> None:
    """A truncated private key is redacted."""
    assert "b3Blbn" not in Redactor([]).text(PEM[:50])


def test_each_line_of_a_key_is_redacted() -> None:
    """Each long line of a key is redacted when a program logs it line by line."""
    key = "-----BEGIN X-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n-----END X-----\n"

    assert Redactor([key]).text("line: b3BlbnNzaC1rZXktdjEAAAAABG5v.") == f"line: {MARK}."


def test_the_repr_shows_no_secret() -> None:
    """The repr contains no secret."""
    assert "hunter22hunter22" not in repr(Redactor(["hunter22hunter22"]))


@pytest.mark.parametrize("filler", ["x", "a.", '"', "\\", "=", "token", "eyJ", "Cookie: a=", ";b=", "-----BEGIN"])
def test_a_long_line_takes_no_longer_than_many_short_ones(filler: str) -> None:
    """A line of 200 kB is redacted in linear time. Quadratic time would be 40 billion steps."""
    start = time.process_time()

    Redactor(["hunter22hunter22"]).text(filler * (200_000 // len(filler)))

    assert time.process_time() - start < 60
