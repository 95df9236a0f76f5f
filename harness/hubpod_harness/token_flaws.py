"""Flaws of tokens by name. Each flaw invalidates a valid draft for a single reason.

The statuses are the valid responses of the login. The flaws follow RFC 8725 (best practices for JWT).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from hubpod_harness import token_mutations
from hubpod_harness.attack import forgeries
from hubpod_harness.project_mutations import (
    account,
    accounts,
    deep_projects,
    entries,
    on_platform,
    project_name,
    resources,
)
from hubpod_harness.token_mutations import (
    map_claim,
    times,
    with_claims,
    with_header,
    with_key_url,
    with_parts,
    with_payload,
    with_short_name,
    without_claim,
    without_signature,
)
from hubpod_harness.token_variants import Rows, Variant
from hubpod_harness.tokens import Mutation

DAY_S = 86400
KB = forgeries.KB
MANY = 5000


class Layer(Enum):
    """The part that refuses the token."""

    HUB = "the hub"
    FRONT_DOOR = "the proxy, which limits headers to 32 kB, before the hub receives the request"


@dataclass(frozen=True, kw_only=True)
class Flaw(Variant):
    """A flaw that makes a token invalid.

    Attributes:
        statuses: HTTP statuses with which hubpod's authenticator may refuse it.
        layer: The part that refuses it.
    """

    statuses: frozenset[int]
    layer: Layer = Layer.HUB

    @property
    def concerns_every_login(self) -> bool:
        """Whether every authenticator must refuse it, as opposed to the stricter one that hubpod ships."""
        return self.name in _BASIC or self.name.startswith(("alg_", "missing_"))


_BASIC = frozenset(
    {"expired", "not_yet_valid", "wrong_audience", "wrong_issuer"}
    | {"foreign_key", "key_confusion", "tampered_payload", "broken_signature", "not_json"}
)
"""With missing claims and unsigned tokens, the checks that OpenID Connect Core 1.0, section 3.1.3.7, requires."""

_TIMES: Rows = {
    "expired": ("it expired an hour ago", times(iat=-7200, nbf=-7200, exp=-3600)),
    "expired_at_the_edge": ("it expired a second before the leeway", token_mutations.expired_at_the_edge),
    "not_yet_valid": ("it becomes valid in half an hour", times(nbf=1800)),
    "not_yet_valid_at_the_edge": ("it becomes valid just after the leeway", token_mutations.not_yet_valid_at_the_edge),
    "issued_in_the_future": ("it was issued in half an hour", times(iat=1800)),
    "endless_lifetime": ("it is valid for ten years", times(exp=3650 * DAY_S)),
    "long_lifetime": ("it is valid for a day and an hour", times(exp=DAY_S + 3600)),
    "boolean_exp": ("exp is true, which equals 1 without a type check", with_claims(exp=True)),
    "infinite_exp": ("exp is infinite", with_claims(exp=float("inf"))),
    "huge_exp": ("exp has 401 digits", with_claims(exp=10**400)),
    "null_nbf": ("nbf is null", with_claims(nbf=None)),
    "mistyped_nbf": ("nbf is a string", map_claim("nbf", str)),
}

_REQUIRED: Mapping[str, tuple[str, Mutation]] = {
    "aud": ("a number", with_claims(aud=5)),
    "exp": ("a string", map_claim("exp", str)),
    "iss": ("an object", map_claim("iss", lambda good: {"url": good})),
    "iat": ("a string", map_claim("iat", str)),
    "short_name": ("a number", with_claims(short_name=5)),
    "projects": ("a number", with_claims(projects=5)),
}

_PURPOSE: Rows = {
    "wrong_audience": ("it is for another audience", with_claims(aud="another-client")),
    "list_audience_of_another": ("aud is a list with another audience", with_claims(aud=["another-client"])),
    "two_audiences": ("aud has another audience, too", map_claim("aud", lambda good: [good, "another-client"])),
    "nested_audience": ("aud is a list in a list", map_claim("aud", lambda good: [[good]])),
    "wrong_issuer": ("it is of another issuer", with_claims(iss="https://issuer.example/realms/test")),
    "list_issuer": ("iss is a list with the right issuer", map_claim("iss", lambda good: [good])),
    "issuer_with_slash": ("iss has a slash at its end", map_claim("iss", lambda good: f"{good}/")),
    "azp_of_another": ("it was issued to another party", with_claims(azp="another-client")),
    "access_token": ("its claims say that it is an access token", with_claims(typ="Bearer")),
    "access_token_header": ("its header says that it is an access token", with_header(typ="at+jwt")),
}

_KEYS: Rows = {
    "foreign_key": ("its kid is right, its signature made with a foreign key", token_mutations.foreign_signature),
    "missing_kid": ("it has no kid, and the issuer several keys", token_mutations.without_header("kid")),
    **{
        f"alg_{name}": (f"alg is {name!r}, and it has no signature", without_signature(name))
        for name in forgeries.UNSIGNED
    },
    **{name: (title, with_header(**header)) for name, (title, header) in forgeries.HEADERS.items()},
    "key_confusion": ("it is signed by HS256 with the public key as secret", token_mutations.key_confusion),
    "jku_header": ("its header points to a key set", with_key_url("jku")),
    "jku_foreign_key": (
        "its key is in the set its header points to",
        token_mutations.with_embedded_key(token_mutations.key_set_header),
    ),
    "x5u_header": ("its header points to a certificate", with_key_url("x5u")),
    "jwk_header": ("its header has a key", token_mutations.with_own_jwk),
    "jwk_foreign_key": ("its key is in its header", token_mutations.with_embedded_key(token_mutations.jwk_header)),
    "tampered_payload": ("its payload was changed after it was signed", with_parts(token_mutations.tamper_payload)),
    "broken_signature": ("one bit of its signature is wrong", with_parts(token_mutations.break_signature)),
}

_FORM: Rows = {
    "jwe": ("it is encrypted", token_mutations.encrypt),
    "nested": ("it is a signed token in a signed token", token_mutations.nest),
    **{name: (title, with_parts(form)) for name, (title, form) in forgeries.FORMS.items()},
    "repeated_claim": ("it has two users", token_mutations.repeat_claim("short_name", "admin")),
    "repeated_audience": ("it has two audiences", token_mutations.repeat_claim("aud", "another-client")),
    "repeated_alg": ("its header has two algorithms", token_mutations.repeat_header("alg", "none")),
    "repeated_kid": ("its header has two key ids", token_mutations.repeat_header("kid", "other")),
    "not_json": ("its payload is not JSON", with_payload(lambda _: b"not JSON")),
    "array_payload": ("its payload is an array", with_payload(lambda payload: b"[" + payload + b"]")),
}

_NAMES: Rows = {
    "short_name_path": ("short_name is a path", with_short_name("../admin")),
    "short_name_slash": ("short_name has a slash", with_short_name("a/b")),
    "short_name_shell": ("short_name is a command substitution", with_short_name("$(id)")),
    "short_name_quote": ("short_name ends a quoted string", with_short_name("o'x; id")),
    "short_name_newline": ("short_name ends with a newline", with_short_name("user\n")),
    "short_name_long": ("short_name has 300 characters", with_short_name("a" * 300)),
    "short_name_empty": ("short_name is empty", with_short_name("")),
    "short_name_root": ("short_name is root", with_short_name("root")),
    "short_name_option": ("short_name looks like an option", with_short_name("-u")),
    "short_name_capital": ("short_name has a capital letter", with_short_name("Admin")),
    "short_name_dot": ("short_name has a dot", with_short_name("user.project")),
}

_PROJECTS: Rows = {
    "projects_list": ("projects is a list", map_claim("projects", lambda good: [good])),
    "projects_deep": (f"projects is nested {MANY} deep", deep_projects(MANY)),
    "projects_deep_text": (f"projects is a text, nested {MANY} deep", with_claims(projects="[" * MANY + "]" * MANY)),
    "projects_string_garbage": ("projects is a text that is not JSON", with_claims(projects="{")),
    "project_list": ("a project is a list", entries(lambda *_: [])),
    "project_nameless": ("a project's name is null", entries(lambda *_: {"name": None, "resources": []})),
    "project_name_surrogate": ("a project's name is half a character", project_name("\ud800")),
    "resources_object": ("a project's resources are an object", resources(lambda *_: {})),
    "resource_string": ("a resource is a string", resources(lambda *_: ["x"])),
    "resource_username_null": ("the account is null", account(None)),
    "resource_username_root": ("the account is root", account("root")),
    "resource_username_spawner": ("the account is the service's own", account("jupyterspawner")),
    "resource_username_option": ("the account looks like options", account("-u root")),
    "resource_username_shell": ("the account has a command", account("x; id")),
    "resource_of_another_user": ("the account is another user's", accounts("mallory.{project}")),
    "resource_of_another_project": (
        "the account is in another project",
        accounts("{user}.elsewhere"),
    ),
    "resource_username_newline": ("the account ends with a newline", accounts("{user}.{project}\n")),
}

_NOWHERE: Rows = {
    "no_project_here": ("its projects are on another platform", on_platform("elsewhere")),
    "no_projects": ("it has no projects", with_claims(projects={})),
}

_SIZES: Rows = {
    "size_33_kB": ("it has 33 kB", token_mutations.of_size(33 * KB)),
    "oversize": ("it has 70 kB", token_mutations.of_size(70 * KB)),
    "oversize_10_MB": ("it has 10 MB", token_mutations.of_size(10 * KB * KB)),
}


def _rows_of_required_claims() -> Iterator[tuple[str, tuple[str, Mutation]]]:
    for name, (mistyped, mutate) in _REQUIRED.items():
        yield f"missing_{name}", (f"{name} is missing", without_claim(name))
        yield f"null_{name}", (f"{name} is null", with_claims(**{name: None}))
        yield f"mistyped_{name}", (f"{name} is {mistyped}", mutate)


def _flaws(rows: Rows, *statuses: int, layer: Layer = Layer.HUB) -> dict[str, Flaw]:
    return {
        name: Flaw(name=name, title=title, mutate=mutate, statuses=frozenset(statuses), layer=layer)
        for name, (title, mutate) in rows.items()
    }


FLAWS: Mapping[str, Flaw] = {
    **_flaws({**_TIMES, **dict(_rows_of_required_claims()), **_PURPOSE, **_KEYS}, 401),
    **_flaws(_FORM, 400, 401),
    **_flaws(_NAMES, 403),
    **_flaws(_PROJECTS, 401, 403),
    **_flaws(_NOWHERE, 403),
    **_flaws(_SIZES, 400, 401, 431, layer=Layer.FRONT_DOOR),
}
