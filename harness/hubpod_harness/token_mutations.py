"""Mutations of token drafts, the building blocks of flaws and variants."""

import hmac
import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hubpod_harness.attack.forgeries import base64url
from hubpod_harness.keys import SigningKey, foreign_key
from hubpod_harness.tokens import Draft, Mutation, decode_part, projects_claim

FOREIGN_KEYS_PATH = "/foreign/certs"
"""Path below the issuer's URL to which headers of flawed tokens point. The hub must never request it."""

DAY_S = 86400
PARTS = 3
GCM_TAG_BYTES = 16


def with_header(**parameters: object) -> Mutation:
    """Set header parameters."""
    return lambda draft: replace(draft, header={**draft.header, **parameters})


def without_header(name: str) -> Mutation:
    """Remove a header parameter."""
    return lambda draft: replace(draft, header={key: value for key, value in draft.header.items() if key != name})


def with_claims(**claims: object) -> Mutation:
    """Set claims."""
    return lambda draft: replace(draft, claims={**draft.claims, **claims})


def without_claim(name: str) -> Mutation:
    """Remove a claim."""
    return lambda draft: replace(draft, claims={key: value for key, value in draft.claims.items() if key != name})


def map_claim(name: str, change: Callable[[object], object]) -> Mutation:
    """Replace a claim by a function of its valid value."""
    return lambda draft: with_claims(**{name: change(draft.claims.get(name))})(draft)


def with_payload(edit: Callable[[bytes], bytes]) -> Mutation:
    """Edit the payload before it is signed."""
    return lambda draft: replace(draft, payload_edits=(*draft.payload_edits, edit))


def repeat_claim(name: str, first: object) -> Mutation:
    """Put another value of a claim before the valid one."""
    return with_payload(lambda payload: _with_first(payload, name, first))


def repeat_header(name: str, first: object) -> Mutation:
    """Put another value of a header parameter before the valid one."""
    return lambda draft: replace(
        draft, header_edits=(*draft.header_edits, lambda header: _with_first(header, name, first))
    )


def _with_first(text: bytes, name: str, value: object) -> bytes:
    return text.replace(b"{", f"{{{json.dumps(name)}: {json.dumps(value)}, ".encode(), 1)


def with_token(edit: Callable[[str], str]) -> Mutation:
    """Edit the token after it is signed."""
    return lambda draft: replace(draft, token_edits=(*draft.token_edits, edit))


def with_parts(edit: Callable[[str, str, str], str]) -> Mutation:
    """Edit the parts of a signed token. Tokens that do not have three parts stay the same."""

    def edit_parts(token: str) -> str:
        parts = token.split(".")
        return edit(parts[0], parts[1], parts[2]) if len(parts) == PARTS else token

    return with_token(edit_parts)


def of_size(characters: int) -> Mutation:
    """Pad the token to about this many characters with an unused claim."""

    def mutate(draft: Draft) -> Draft:
        missing = (characters - len(with_claims(padding="")(draft).sign())) * 3 // 4
        return with_claims(padding="x" * max(missing, 0))(draft)

    return mutate


def chain(*mutations: Mutation) -> Mutation:
    """Apply several mutations in order."""

    def mutate(draft: Draft) -> Draft:
        for one in mutations:
            draft = one(draft)
        return draft

    return mutate


def times(**offsets_s: int) -> Mutation:
    """Set time claims relative to now."""
    return lambda draft: with_claims(**{name: int(draft.now) + by_s for name, by_s in offsets_s.items()})(draft)


def expired_at_the_edge(draft: Draft) -> Draft:
    """Expire one second before the leeway."""
    return times(iat=-DAY_S // 2, nbf=-DAY_S // 2, exp=-math.ceil(draft.leeway_s) - 1)(draft)


def not_yet_valid_at_the_edge(draft: Draft) -> Draft:
    """Become valid just after the leeway."""
    # Two seconds, because the token must still be early when it reaches the hub.
    return with_claims(nbf=math.ceil(draft.now + draft.leeway_s + 2))(draft)


def foreign_signature(draft: Draft) -> Draft:
    """Sign with a key of the same id that the issuer does not have."""
    return replace(draft, key=foreign_key(draft.key.algorithm, draft.key.key_id))


def without_signature(algorithm: str) -> Mutation:
    """Set an algorithm, with an empty signature as for `none` (RFC 7515, appendix A.5)."""
    return lambda draft: replace(with_header(alg=algorithm)(draft), signer=lambda _: b"")


def key_confusion(draft: Draft) -> Draft:
    """Sign with the public key as a shared secret (RFC 8725, section 2.1)."""
    pem = draft.key.public_pem
    return replace(with_header(alg="HS256")(draft), signer=lambda message: hmac.digest(pem, message, "sha256"))


def embedded_key() -> SigningKey:
    """Return the foreign key that headers contain or point to."""
    return foreign_key("ES256", "foreign")


def with_embedded_key(header: Callable[[Draft], Mapping[str, object]]) -> Mutation:
    """Sign with a foreign key that the header itself contains or points to."""

    def mutate(draft: Draft) -> Draft:
        key = embedded_key()
        return replace(with_header(alg=key.algorithm, kid=key.key_id, **header(draft))(draft), key=key)

    return mutate


def foreign_key_set() -> dict[str, object]:
    """Return the foreign key set to which headers of flawed tokens point."""
    return {"keys": [embedded_key().public_jwk]}


def key_set_header(draft: Draft) -> dict[str, object]:
    """Return a header parameter that points to the foreign key set."""
    return {"jku": draft.issuer + FOREIGN_KEYS_PATH}


def jwk_header(_draft: Draft) -> dict[str, object]:
    """Return a header parameter that contains the foreign key."""
    return {"jwk": embedded_key().public_jwk}


def with_own_jwk(draft: Draft) -> Draft:
    """Add the public half of the signing key to the header."""
    return with_header(jwk=draft.key.public_jwk)(draft)


def with_key_url(name: str) -> Mutation:
    """Point a header parameter to a foreign key set."""
    return lambda draft: with_header(**{name: draft.issuer + FOREIGN_KEYS_PATH})(draft)


def encrypt(draft: Draft) -> Draft:
    """Encrypt the token as a JWE with a pre-shared key (RFC 7516, appendix A)."""
    header = base64url(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": draft.key.key_id}).encode())
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(AESGCM.generate_key(256)).encrypt(nonce, draft.payload, header.encode())
    return with_token(
        lambda _: (
            f"{header}..{base64url(nonce)}.{base64url(sealed[:-GCM_TAG_BYTES])}.{base64url(sealed[-GCM_TAG_BYTES:])}"
        )
    )(draft)


def nest(draft: Draft) -> Draft:
    """Nest the signed token in another one (RFC 7519, appendix A.2)."""
    inner = draft.sign().encode()
    return chain(with_header(cty="JWT"), with_payload(lambda _: inner))(draft)


def tamper_payload(header: str, payload: str, signature: str) -> str:
    """Append a space to the signed payload."""
    return f"{header}.{base64url(decode_part(payload) + b' ')}.{signature}"


def break_signature(header: str, payload: str, signature: str) -> str:
    """Flip one bit of the signature."""
    content = bytearray(decode_part(signature))
    content[len(content) // 2] ^= 1
    return f"{header}.{payload}.{base64url(bytes(content))}"


def project_names(draft: Draft) -> list[str]:
    """Return the draft's projects without portal."""
    claim = draft.claims.get("projects")
    return [key.partition(".")[0] for key in claim] if isinstance(claim, Mapping) else []


def with_short_name(name: str) -> Mutation:
    """Name another user, with matching accounts."""
    return lambda draft: with_claims(
        short_name=name, projects=projects_claim(name, project_names(draft), draft.platform)
    )(draft)
