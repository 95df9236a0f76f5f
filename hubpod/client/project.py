"""Match a project to the choices of the spawn form."""

from hubpod.client.errors import HubError
from hubpod.client.forms import Form

PROJECT_FIELD = "brics_project"  # beside runtime, ngpus, partition and reservation


def match_project(project: str, form: Form) -> str:
    """Return the form's value for a project.

    The project is given in full, or without its portal: the part after its first dot.

    Raises:
        HubError: The form offers no such project, or several. This is not a SpawnRefused, as the hub refused nothing.
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
