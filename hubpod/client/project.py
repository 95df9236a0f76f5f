"""Which of the spawn form's projects a person means."""

from hubpod.client.errors import HubError
from hubpod.client.forms import Form

PROJECT_FIELD = "brics_project"  # beside runtime, ngpus, partition and reservation


def match_project(project: str, form: Form) -> str:
    """The form's value for a project that is given as in the form, or without the part from its first dot on.

    Raises:
        HubError: The form offers no such project, or several. It is no SpawnRefused: the hub has not been asked.
    """
    field = form.field(PROJECT_FIELD)
    if field is None:
        raise HubError(f"the spawn form has no field {PROJECT_FIELD} to choose {project} in")
    if project in field.offers:
        return project
    matches = [value for value in field.offers if value.partition(".")[0] == project]
    if len(matches) == 1:
        return matches[0]
    problem = "could be any of" if matches else "is not among"
    choices = ", ".join(matches or field.offers) or "nothing"
    raise HubError(f"project {project} {problem} what the spawn form offers: {choices}")
