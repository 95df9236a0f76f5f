"""Ways to bend a draft: what flaws and variants are made of."""

import hmac
import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hubpod_harness.attack.forgeries import base64url
from hubpod_harness.keys import SigningKey, foreign_key
from hubpod_harness.tokens import Draft, Mutation, decoded, projects_claim

FOREIGN_KEYS_PATH = "/foreign/certs"
"""Below the issuer's URL: where headers of flawed tokens point to. Nobody should ever ask for it."""

DAY_S = 86400
PARTS = 3
GCM_TAG_BYTES = 16


def with_header(**parameters: object) -> Mutation:
    """Give header parameters these values."""
    return lambda draft: replace(draft, header={**draft.header, **parameters})


def without_header(name: str) -> Mutation:
    """Leave a header parameter out."""
    return lambda draft: replace(draft, header={key: value for key, value in draft.header.items() if key != name})


def with_claims(**claims: object) -> Mutation:
    """Give claims these values."""
    return lambda draft: replace(draft, claims={**draft.claims, **claims})


def without_claim(name: str) -> Mutation:
    """Leave a claim out."""
    return lambda draft: replace(draft, claims={key: value for key, value in draft.claims.items() if key != name})


def changed_claim(name: str, change: Callable[[object], object]) -> Mutation:
    """Replace a claim by something made of its good value."""
    return lambda draft: with_claims(**{name: change(draft.claims.get(name))})(draft)


def with_payload(edit: Callable[[bytes], bytes]) -> Mutation:
    """Change the payload before it is signed."""
    return lambda draft: replace(draft, payload_edits=(*draft.payload_edits, edit))


def with_token(edit: Callable[[str], str]) -> Mutation:
    """Change the token after it is signed."""
    return lambda draft: replace(draft, token_edits=(*draft.token_edits, edit))


def with_parts(edit: Callable[[str, str, str], str]) -> Mutation:
    """Change the token after it is signed, given its header, payload and signature; no other token is changed."""

    def edited(token: str) -> str:
        parts = token.split(".")
        return edit(parts[0], parts[1], parts[2]) if len(parts) == PARTS else token

    return with_token(edited)


def of_size(characters: int) -> Mutation:
    """Fill the token up to about this many characters with a claim that nobody reads."""

    def bend(draft: Draft) -> Draft:
        missing = (characters - len(with_claims(padding="")(draft).finished())) * 3 // 4
        return with_claims(padding="x" * max(missing, 0))(draft)

    return bend


def both(*bends: Mutation) -> Mutation:
    """One bend after the other."""

    def bend(draft: Draft) -> Draft:
        for one in bends:
            draft = one(draft)
        return draft

    return bend


def times(**offsets_s: int) -> Mutation:
    """Set times relative to now."""
    return lambda draft: with_claims(**{name: int(draft.now) + by_s for name, by_s in offsets_s.items()})(draft)


def expired_at_the_edge(draft: Draft) -> Draft:
    """Expire a second before the leeway began."""
    return times(iat=-DAY_S // 2, nbf=-DAY_S // 2, exp=-math.ceil(draft.leeway_s) - 1)(draft)


def not_yet_valid_at_the_edge(draft: Draft) -> Draft:
    """Become valid just after the leeway ends."""
    # Two seconds rather than one: it must still be early when it reaches the hub.
    return with_claims(nbf=math.ceil(draft.now + draft.leeway_s + 2))(draft)


def foreign_signature(draft: Draft) -> Draft:
    """Sign with a key of the same name that the issuer does not have."""
    return replace(draft, key=foreign_key(draft.key.algorithm, draft.key.key_id))


def unsigned(algorithm: str) -> Mutation:
    """Claim an algorithm and leave the signature empty, as RFC 7515 has it for `none` (appendix A.5)."""
    return lambda draft: replace(with_header(alg=algorithm)(draft), signer=lambda _: b"")


def key_confusion(draft: Draft) -> Draft:
    """Sign with the public key as a shared secret (RFC 8725, section 2.1)."""
    pem = draft.key.public_pem
    return replace(with_header(alg="HS256")(draft), signer=lambda message: hmac.digest(pem, message, "sha256"))


def brought_key() -> SigningKey:
    """The foreign key that headers bring or point to."""
    return foreign_key("ES256", "foreign")


def with_brought_key(header: Callable[[Draft], Mapping[str, object]]) -> Mutation:
    """Sign with a foreign key that the header itself brings or points to."""

    def bend(draft: Draft) -> Draft:
        key = brought_key()
        return replace(with_header(alg=key.algorithm, kid=key.key_id, **header(draft))(draft), key=key)

    return bend


def foreign_key_set() -> dict[str, object]:
    """The key set that headers of flawed tokens point to: who trusts it accepts them."""
    return {"keys": [brought_key().public_jwk]}


def key_set_header(draft: Draft) -> dict[str, object]:
    """A header parameter that points to the foreign key set."""
    return {"jku": draft.issuer + FOREIGN_KEYS_PATH}


def jwk_header(_draft: Draft) -> dict[str, object]:
    """A header parameter that has the foreign key."""
    return {"jwk": brought_key().public_jwk}


def with_own_jwk(draft: Draft) -> Draft:
    """Add the public key of the good signature to the header."""
    return with_header(jwk=draft.key.public_jwk)(draft)


def pointing(name: str) -> Mutation:
    """Let a header parameter point to a foreign key set."""
    return lambda draft: with_header(**{name: draft.issuer + FOREIGN_KEYS_PATH})(draft)


def encrypted(draft: Draft) -> Draft:
    """A JWE with a key that was agreed on beforehand (RFC 7516, appendix A, with RFC 7518, section 4.5)."""
    header = base64url(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": draft.key.key_id}).encode())
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(AESGCM.generate_key(256)).encrypt(nonce, draft.payload, header.encode())
    return with_token(
        lambda _: (
            f"{header}..{base64url(nonce)}.{base64url(sealed[:-GCM_TAG_BYTES])}.{base64url(sealed[-GCM_TAG_BYTES:])}"
        )
    )(draft)


def nested(draft: Draft) -> Draft:
    """A signed token inside a signed token (RFC 7519, appendix A.2)."""
    inner = draft.finished().encode()
    return both(with_header(cty="JWT"), with_payload(lambda _: inner))(draft)


def tampered(header: str, payload: str, signature: str) -> str:
    """Change the payload by a space."""
    return f"{header}.{base64url(decoded(payload) + b' ')}.{signature}"


def broken(header: str, payload: str, signature: str) -> str:
    """Change one bit of the signature."""
    content = bytearray(decoded(signature))
    content[len(content) // 2] ^= 1
    return f"{header}.{payload}.{base64url(bytes(content))}"


def _project_names(draft: Draft) -> list[str]:
    claim = draft.claims.get("projects")
    return [key.partition(".")[0] for key in claim] if isinstance(claim, Mapping) else []


def named(name: str) -> Mutation:
    """Name another person, with accounts that fit."""
    return lambda draft: with_claims(
        short_name=name, projects=projects_claim(name, _project_names(draft), draft.platform)
    )(draft)


def entries(entry: Callable[[Draft, str], object]) -> Mutation:
    """Describe each project in another way."""
    return lambda draft: with_claims(projects={f"{name}.portal": entry(draft, name) for name in _project_names(draft)})(
        draft
    )


def resources(resources: Callable[[Draft, str], object]) -> Mutation:
    """Describe the resources of each project in another way."""
    return entries(lambda draft, name: {"name": f"Project {name}", "resources": resources(draft, name)})


def account(username: object) -> Mutation:
    """Put an account on this platform into each project."""
    return resources(lambda draft, _: [{"name": draft.platform, "username": username}])


def accounts(pattern: str) -> Mutation:
    """Put an account into each project, made of a pattern with `{user}` and `{project}`."""
    return resources(lambda draft, name: [_resource(draft, name, pattern=pattern)])


def on_platform(platform: str) -> Mutation:
    """Move all accounts to another platform."""
    return resources(lambda draft, name: [_resource(draft, name) | {"name": platform}])


def on_another_platform_too(draft: Draft) -> Draft:
    """Add accounts on another platform, which may be named in any way."""
    return resources(lambda draft, name: [{"name": "elsewhere", "username": "root"}, _resource(draft, name)])(draft)


def project_name(text: str) -> Mutation:
    """Give each project a name that people see."""
    return entries(lambda draft, name: {"name": text, "resources": [_resource(draft, name)]})


def _resource(draft: Draft, project: str, pattern: str = "{user}.{project}") -> dict[str, object]:
    user = draft.claims.get("short_name")
    return {"name": draft.platform, "username": pattern.format(user=user, project=project)}


def deep_projects(depth: int) -> Mutation:
    """Nest the projects deeper than parsers like."""
    nested = b"[" * depth + b"]" * depth  # put into the JSON text, because the encoder has its own limit
    return both(with_claims(projects="@"), with_payload(lambda payload: payload.replace(b'"@"', nested)))
