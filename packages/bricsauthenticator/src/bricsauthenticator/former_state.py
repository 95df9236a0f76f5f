"""The state that other spawners of the same contract save, read so that their jobs keep running and can be stopped.

All functions are pure. The state of batchspawner names the job but not its account. Spawners that map projects to
accounts save the projects, or derive the account from the project in the user's options.
"""

from collections.abc import Iterator, Mapping

from bricsauthenticator.projects import Project, is_account


def find_account(state: Mapping[str, object], user_options: Mapping[str, object], user: str) -> str:
    """Return the account that a saved job runs as.

    The result is empty when the state and the options do not say.

    Args:
        state: The saved state of this or another spawner.
        user_options: The options of the spawn, as JupyterHub saved them.
        user: The user's name at the hub.
    """
    return next((str(account) for account in _candidates(state, user_options, user) if is_account(account)), "")


def _candidates(state: Mapping[str, object], user_options: Mapping[str, object], user: str) -> Iterator[object]:
    yield state.get("username")
    chosen = user_options.get("brics_project")
    if isinstance(chosen, str):
        projects = saved_projects(state)
        yield projects[chosen]["username"] if chosen in projects else ""
        yield f"{user}.{chosen.partition('.')[0]}"


def saved_projects(state: Mapping[str, object]) -> dict[str, Project]:
    """Return the well-formed projects of a saved state."""
    saved = state.get("brics_projects")
    if not isinstance(saved, Mapping):
        return {}
    return {
        key: Project(name=str(project.get("name", key)), username=project["username"])
        for key, project in saved.items()
        if isinstance(project, Mapping) and is_account(project.get("username"))
    }
