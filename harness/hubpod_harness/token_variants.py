"""Variants of valid tokens by name: other forms of a token that the hub accepts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hubpod_harness import project_mutations, token_mutations
from hubpod_harness.attack.forgeries import KB
from hubpod_harness.project_mutations import beside_a_useless_project, beside_an_account
from hubpod_harness.token_mutations import map_claim, with_claims, without_claim
from hubpod_harness.tokens import Mutation


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A valid token in another form.

    Attributes:
        name: The keyword argument of `Issuer.mint` that selects the variant.
        title: The difference from an ordinary token, in a sentence.
        mutate: Turns a valid draft into the variant.
    """

    name: str
    title: str
    mutate: Mutation = field(repr=False)


Rows = Mapping[str, tuple[str, Mutation]]

_VARIANTS: Rows = {
    "projects_as_text": ("projects is a string of JSON", map_claim("projects", json.dumps)),
    "bare_header": ("its header has no typ", token_mutations.without_header("typ")),
    "without_nbf": ("it has no nbf", without_claim("nbf")),
    "azp_of_ours": ("it was issued to our own client", lambda draft: with_claims(azp=draft.claims.get("aud"))(draft)),
    "audience_in_a_list": ("aud is a list with our client", map_claim("aud", lambda good: [good])),
    "two_audiences_and_azp": (
        "it is for others, too, and was issued to our client",
        lambda draft: with_claims(aud=[draft.claims.get("aud"), "another-client"], azp=draft.claims.get("aud"))(draft),
    ),
    **{
        f"beside_{name}": (f"another project {title}", mutate)
        for name, (title, mutate) in {
            "a_list": ("is a list", beside_a_useless_project([])),
            "null": ("is null", beside_a_useless_project(None)),
            "a_nameless_project": ("has no name", beside_a_useless_project({"name": None, "resources": []})),
            "a_surrogate": ("has half a character", beside_a_useless_project({"name": "\ud800", "resources": []})),
            "root": ("has the account root", beside_an_account("root")),
            "an_account_of_another": (
                "has another user's account",
                beside_an_account("mallory.useless"),
            ),
            "no_account": ("has no account", beside_an_account(None)),
        }.items()
    },
    "markup_in_project": ("a project's name is markup", project_mutations.project_name("<script>alert(1)</script>")),
    "on_other_platforms_too": ("its projects are on another platform, too", project_mutations.on_another_platform_too),
    "size_8_kB": ("it has 8 kB", token_mutations.of_size(8 * KB)),
    "size_31_kB": ("it has 31 kB", token_mutations.of_size(31 * KB)),
}
VARIANTS: Mapping[str, Variant] = {
    name: Variant(name=name, title=title, mutate=mutate) for name, (title, mutate) in _VARIANTS.items()
}
