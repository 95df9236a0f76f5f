"""Mutations of the `projects` claim of token drafts."""

from collections.abc import Callable, Mapping

from hubpod_harness.token_mutations import chain, project_names, with_claims, with_payload
from hubpod_harness.tokens import Draft, Mutation


def entries(entry: Callable[[Draft, str], object]) -> Mutation:
    """Replace the entry of each project."""
    return lambda draft: with_claims(projects={f"{name}.portal": entry(draft, name) for name in project_names(draft)})(
        draft
    )


def resources(resources: Callable[[Draft, str], object]) -> Mutation:
    """Replace the resources of each project."""
    return entries(lambda draft, name: {"name": f"Project {name}", "resources": resources(draft, name)})


def account(username: object) -> Mutation:
    """Replace each project's account on this platform."""
    return resources(lambda draft, _: [{"name": draft.platform, "username": username}])


def accounts(pattern: str) -> Mutation:
    """Replace each project's account by a pattern with `{user}` and `{project}`."""
    return resources(lambda draft, name: [_resource(draft, name, pattern=pattern)])


def on_platform(platform: str) -> Mutation:
    """Move all accounts to another platform."""
    return resources(lambda draft, name: [_resource(draft, name) | {"name": platform}])


def on_another_platform_too(draft: Draft) -> Draft:
    """Add accounts on another platform, whose names are unrestricted."""
    return resources(lambda draft, name: [{"name": "elsewhere", "username": "root"}, _resource(draft, name)])(draft)


def project_name(text: str) -> Mutation:
    """Set each project's display name."""
    return entries(lambda draft, name: {"name": text, "resources": [_resource(draft, name)]})


def beside_a_useless_project(entry: object) -> Mutation:
    """Add an unusable project."""

    def mutate(draft: Draft) -> Draft:
        usable = draft.claims.get("projects")
        return with_claims(projects={"useless.portal": entry, **(usable if isinstance(usable, Mapping) else {})})(draft)

    return mutate


def beside_an_account(username: object) -> Mutation:
    """Add a project with this account on the platform."""
    return lambda draft: beside_a_useless_project(
        {"name": "Useless", "resources": [{"name": draft.platform, "username": username}]}
    )(draft)


def _resource(draft: Draft, project: str, pattern: str = "{user}.{project}") -> dict[str, object]:
    user = draft.claims.get("short_name")
    return {"name": draft.platform, "username": pattern.format(user=user, project=project)}


def deep_projects(depth: int) -> Mutation:
    """Nest the projects claim deeper than parsers support."""
    nested = b"[" * depth + b"]" * depth  # inserted into the JSON text, because the encoder has its own limit
    return chain(with_claims(projects="@"), with_payload(lambda payload: payload.replace(b'"@"', nested)))
