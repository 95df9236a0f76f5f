"""The user's projects and options, and their effect on the job."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from traitlets import Dict, HasTraits, TraitError, default, validate

from bricsauthenticator import options
from bricsauthenticator.authenticator import BricsAuthenticator
from bricsauthenticator.hub_guard.http_errors import options_refusal, permission_refusal
from bricsauthenticator.options import Options, OptionsError
from bricsauthenticator.projects import is_account, project_of


class ProjectOptions(HasTraits):
    """JupyterHub's hooks for options, mixed into a batchspawner.

    The job gets the account of the chosen project.
    """

    # Of the class that this is mixed into:
    user: Any
    orm_spawner: Any
    user_options: dict[str, Any]
    authenticator: Any
    req_username: str
    req_homedir: str
    runtimes: list[str]
    gpus: list[str]
    shell: str
    usual_home: Callable[[str], str]
    run_auth_state_hook: Callable[..., Awaitable[None]]

    brics_projects = Dict(
        help="""The user's projects: `{"PROJECT.PORTAL": {"name": ..., "username": "USER.PROJECT"}}`.

        Set by `auth_state_hook`, whose default takes the auth_state as it is.
        """
    )

    _options: Options | None = None

    # The user's projects

    @default("auth_state_hook")
    def _auth_state_hook_default(self) -> Callable[..., None]:
        return _take_projects

    @validate("brics_projects")
    def _validate_brics_projects(self, proposal: Any) -> dict[str, Any]:  # noqa: ANN401 - a traitlets bunch
        projects: dict[str, Any] = proposal["value"]
        for key, project in projects.items():
            has_name = isinstance(key, str) and isinstance(project, Mapping) and isinstance(project.get("name"), str)
            if not has_name or not is_account(project.get("username")):
                raise TraitError("brics_projects must map PROJECT.PORTAL to a name and a username USER.PROJECT.")
        return projects

    async def _refresh_projects(self) -> None:
        # JupyterHub runs the hook when it shows the form and when it spawns, but not in between.
        await self.run_auth_state_hook(await self.user.get_auth_state())

    # The user's options

    @default("options_form")
    def _options_form_default(self) -> Callable[..., str]:
        return lambda spawner: options.form(
            spawner.brics_projects, spawner.runtimes, spawner.gpus, getattr(spawner.handler, "prefilled", {})
        )

    @default("options_from_form")
    def _options_from_form_default(self) -> Callable[..., Any]:
        return self._read_form

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Callable[..., None]:
        return lambda spawner, user_options: spawner.use_options(user_options)

    async def _read_form(self, form_data: Mapping[str, Sequence[object]]) -> dict[str, str]:
        await self._refresh_projects()
        return self._choose(options.from_form, form_data).as_dict()

    async def check_options(self, user_options: object) -> None:
        """Refuse invalid options before a spawn begins.

        Args:
            user_options: The options in the request to the REST API; None for those of the last spawn.

        Raises:
            tornado.web.HTTPError: 400 with a sentence when the options are not possible.
        """
        await self._refresh_projects()
        last = self.orm_spawner.user_options or {}
        self._choose(options.from_json, last if user_options is None else user_options)

    def _choose(self, read: Callable[[Any], Mapping[str, object]], given: object) -> Options:
        try:
            return options.choose(read(given), self.brics_projects, self.runtimes, self.gpus)
        except OptionsError as error:
            raise options_refusal(str(error)) from None

    def use_options(self, user_options: object) -> None:
        """Apply the user's options to the next job.

        They may come from the REST API and have then not passed through the form.

        Raises:
            tornado.web.HTTPError: 400 with a sentence when the options are invalid, 403 when the user's projects
                were confirmed too long ago.
        """
        login = self.authenticator
        if isinstance(login, BricsAuthenticator) and not login.has_confirmed(self.user.name):
            raise permission_refusal("Your projects have not been confirmed for a long time. Please log in again.")
        chosen = self._choose(options.from_json, user_options)
        self._options = chosen
        # Saved with all defaults, for another spawner that may have to find the job's account by the project.
        self.user_options = chosen.as_dict()
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = self.user_options
        self.req_username = self.brics_projects[chosen.brics_project]["username"]
        self.req_homedir = self.usual_home(self.req_username)

    # The job's variables

    @default("req_homedir")
    def _req_homedir_default(self) -> str:
        # batchspawner looks on the hub's own machine, which has no such accounts.
        return self.usual_home(self.req_username) if is_account(self.req_username) else ""

    def get_req_subvars(self) -> dict[str, Any]:
        """Return the variables of the templates.

        An option that the user left empty keeps the site's value.
        """
        variables: dict[str, Any] = super().get_req_subvars()  # type: ignore[misc]
        variables |= {"brics_project": "", "project": project_of(self.req_username)}
        if self._options is not None:
            variables |= {name: value for name, value in self._options.as_dict().items() if value}
        return variables

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        # The hub's PATH and the like mean nothing on a compute node.
        return ["JUPYTERHUB_SINGLEUSER_APP"]

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the variables of the account, which need not exist on the hub's machine."""
        account = self.req_username
        return env | {"USER": account, "LOGNAME": account, "HOME": self.req_homedir, "SHELL": self.shell}


def _take_projects(spawner: ProjectOptions, auth_state: dict[str, Any] | None) -> None:
    spawner.brics_projects = auth_state or {}
