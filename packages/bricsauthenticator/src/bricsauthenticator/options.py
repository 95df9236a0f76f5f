"""The options of a server: parsed from the form or the REST API, and the form itself. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from types import MappingProxyType

from bricsauthenticator.projects import Project

FIELDS = ("brics_project", "runtime", "ngpus", "partition", "reservation")
RUNTIMES = ("01:00:00", "02:00:00", "04:00:00", "08:00:00")
GPUS = ("1", "2", "3", "4", "0")
SHORTEST_RUNTIME_S = 60

RUNTIME_RE = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])")
NGPUS_RE = re.compile(r"0|[1-9][0-9]{0,2}")
SLURM_NAME_RE = re.compile(r"[A-Za-z0-9_-]{0,64}")


class OptionsError(ValueError):
    """Invalid options, with a sentence for the user as the message."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Possible options.

    Attributes:
        brics_project: Key `PROJECT.PORTAL` of the project.
        runtime: Time limit as HH:MM:SS.
        ngpus: Number of GPUs.
        partition: Slurm partition; empty for the site's default.
        reservation: Slurm reservation; empty for none.
    """

    brics_project: str
    runtime: str
    ngpus: str
    partition: str
    reservation: str

    def as_dict(self) -> dict[str, str]:
        """Return the options in the format of JupyterHub's user_options."""
        return asdict(self)


def from_form(form: Mapping[str, Sequence[object]]) -> dict[str, object]:
    """Return the single values of a submitted form, in which JupyterHub has a list for each field."""
    fields = {name: values for name, values in form.items() if name != "_xsrf"}
    for name, values in fields.items():
        if len(values) != 1:
            raise OptionsError(f"Please choose one value for {_shown(name)}.")
    return {name: values[0] for name, values in fields.items()}


def from_json(body: object) -> Mapping[str, object]:
    """Check that the options of a request to the REST API, which can be any JSON, are an object.

    Raises:
        OptionsError: The options are not an object.
    """
    if not isinstance(body, Mapping):
        raise OptionsError("The options must be a JSON object.")
    return body


def choose(
    chosen: Mapping[str, object],
    projects: Mapping[str, Project],
    runtimes: Sequence[str] = RUNTIMES,
    gpus: Sequence[str] = GPUS,
) -> Options:
    """Return the options, with the form's defaults for missing ones.

    Raises:
        OptionsError: The options are not possible.
    """
    unknown = sorted(str(name) for name in chosen if name not in FIELDS)
    if unknown:
        raise OptionsError(f"There is no option {_shown(unknown[0])}; there are {', '.join(FIELDS)}.")
    return Options(
        brics_project=_project(chosen.get("brics_project"), projects),
        runtime=_runtime(_text(chosen, "runtime", runtimes[0]), runtimes),
        ngpus=_ngpus(_text(chosen, "ngpus", gpus[0]), gpus),
        partition=_slurm_name("partition", _text(chosen, "partition", "")),
        reservation=_slurm_name("reservation", _text(chosen, "reservation", "")),
    )


def _text(chosen: Mapping[str, object], name: str, default: str) -> str:
    value = chosen.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and name == "ngpus":
        return str(value)
    if not isinstance(value, str):
        raise OptionsError(f"The option {name} must be a string.")
    return value


def _project(key: object, projects: Mapping[str, Project]) -> str:
    if not projects:
        raise OptionsError("You have no project on this platform. Please log in again, or contact your project's lead.")
    if key is None:
        if len(projects) == 1:
            return next(iter(projects))
        raise OptionsError("Please choose one of your projects.")
    if not isinstance(key, str) or key not in projects:
        raise OptionsError("The chosen project is not one of yours on this platform.")
    return key


def _runtime(text: str, runtimes: Sequence[str]) -> str:
    longest = max(runtimes, key=_seconds)
    if not SHORTEST_RUNTIME_S <= _seconds(text) <= _seconds(longest):
        raise OptionsError(f"The time must be given as HH:MM:SS, from one minute up to {longest}.")
    return text


def _seconds(runtime: str) -> int:
    match = RUNTIME_RE.fullmatch(runtime)
    return 0 if match is None else 3600 * int(match[1]) + 60 * int(match[2]) + int(match[3])


def _ngpus(text: str, gpus: Sequence[str]) -> str:
    most = max(map(int, gpus))
    if not NGPUS_RE.fullmatch(text) or int(text) > most:
        raise OptionsError(
            f"The number of GPUs must be from 0 to {most}." if most else "This platform has no GPUs; request 0."
        )
    return text


def _slurm_name(field: str, text: str) -> str:
    if not SLURM_NAME_RE.fullmatch(text):
        raise OptionsError(f"The {field} may have up to 64 letters, digits, hyphens and underscores.")
    return text


def _shown(name: str) -> str:
    return repr(name[:40])


def form(
    projects: Mapping[str, Project],
    runtimes: Sequence[str] = RUNTIMES,
    gpus: Sequence[str] = GPUS,
    prefilled: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the form's fields as HTML, with the CSS classes of JupyterHub's pages.

    Args:
        projects: The user's projects.
        runtimes: The time limits to choose from.
        gpus: The numbers of GPUs to choose from.
        prefilled: Values that the fields have at first; impossible ones are ignored.
    """
    if not projects:
        return (
            '<div class="alert alert-warning" role="alert">You have no project on this platform. '
            "Please log in again, or contact your project's lead.</div>"
        )
    named = [(key, f"{project['name']} ({key})") for key, project in projects.items()]
    return "\n".join(
        (
            _select("brics_project", "Project", named, prefilled),
            '<div class="row">',
            _select("runtime", "Time", [(runtime, _hours(runtime)) for runtime in runtimes], prefilled, column=True),
            _select("ngpus", "GPUs", [(number, number) for number in gpus], prefilled, column=True),
            "</div>",
            _optional_input("partition", "Partition", "The platform's default if left empty.", prefilled),
            _optional_input("reservation", "Reservation", "Only if you were given one.", prefilled),
        )
    )


def _hours(runtime: str) -> str:
    hours, minutes = divmod(_seconds(runtime) // 60, 60)
    if minutes:
        return runtime
    return "1 hour" if hours == 1 else f"{hours} hours"


def _select(
    name: str, label: str, choices: Sequence[tuple[str, str]], prefilled: Mapping[str, str], *, column: bool = False
) -> str:
    chosen = prefilled.get(name)
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(shown)}</option>'
        for value, shown in choices
    )
    return (
        f'<div class="mb-3{" col-sm-6" if column else ""}">'
        f'<label class="form-label" for="{name}">{escape(label)}</label>'
        f'<select class="form-select" id="{name}" name="{name}" required>{options}</select></div>'
    )


def _optional_input(name: str, label: str, hint: str, prefilled: Mapping[str, str]) -> str:
    given = prefilled.get(name, "")
    value = f' value="{given}"' if SLURM_NAME_RE.fullmatch(given) and given else ""
    return (
        f'<div class="mb-3"><label class="form-label" for="{name}">{escape(label)}</label>'
        f'<input class="form-control" id="{name}" name="{name}"{value} type="text" maxlength="64" '
        f'pattern="[A-Za-z0-9_\\-]*" autocomplete="off" spellcheck="false" aria-describedby="{name}_hint">'
        f'<div class="form-text" id="{name}_hint">{escape(hint)}</div></div>'
    )
