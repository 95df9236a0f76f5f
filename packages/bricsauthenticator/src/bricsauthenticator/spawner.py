"""Servers as Slurm jobs of the person's project."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from traitlets import Dict, List, TraitError, Unicode, default, validate

from bricsauthenticator import options, port_report, spawn_request, startup_cleanup
from bricsauthenticator.authenticator import BricsAuthenticator
from bricsauthenticator.http_errors import not_permitted, refused
from bricsauthenticator.options import Options, OptionsError
from bricsauthenticator.projects import home_of, is_account, project_of
from bricsauthenticator.slurm_spawner import SlurmJobSpawner

port_report.install()
spawn_request.install()


class BricsSlurmSpawner(SlurmJobSpawner):
    """Starts a server as a Slurm job of the account that the chosen project gives to the person.

    Beside batchspawner's variables, the templates know `brics_project` (`PROJECT.PORTAL`) and `project` (`PROJECT`).
    `username` and `homedir` are the account `USER.PROJECT` and its home directory.
    """

    brics_projects = Dict(
        help="""The person's projects: `{"PROJECT.PORTAL": {"name": ..., "username": "USER.PROJECT"}}`.

        Set by `auth_state_hook`, whose default takes the auth_state as it is.
        """
    )

    runtimes = List(
        Unicode(),
        list(options.RUNTIMES),
        minlen=1,
        help="Time limits that the form offers, the first one being the default. The longest bounds what is accepted.",
    ).tag(config=True)

    @default("req_homedir")
    def _req_homedir_default(self) -> str:
        # batchspawner asks the hub's own machine, which knows no accounts.
        return home_of(self.req_username) if is_account(self.req_username) else ""

    shell = Unicode("/bin/bash", help="SHELL of the server.").tag(config=True)

    end_leftovers_when_up = staticmethod(startup_cleanup.end_leftovers_when_up)

    _options: Options | None = None

    # The person's projects

    @default("auth_state_hook")
    def _auth_state_hook_default(self) -> Callable[..., None]:
        return _take_projects

    @validate("brics_projects")
    def _brics_projects_are_sound(self, proposal: Any) -> dict[str, Any]:  # noqa: ANN401 - a traitlets bunch
        found: dict[str, Any] = proposal["value"]
        for key, project in found.items():
            sound = isinstance(key, str) and isinstance(project, Mapping) and isinstance(project.get("name"), str)
            if not sound or not is_account(project.get("username")):
                raise TraitError("brics_projects must map PROJECT.PORTAL to a name and a username USER.PROJECT.")
        return found

    # What the person chooses

    @default("options_form")
    def _options_form_default(self) -> Callable[..., str]:
        return lambda spawner: options.form(spawner.brics_projects, spawner.runtimes)

    @default("options_from_form")
    def _options_from_form_default(self) -> Callable[..., Any]:
        return self._read_form

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Callable[..., None]:
        return lambda spawner, user_options: spawner.use_options(user_options)

    async def _read_form(self, form_data: Mapping[str, Sequence[object]]) -> dict[str, str]:
        await self._refresh_projects()
        try:
            return options.choose(options.from_form(form_data), self.brics_projects, self.runtimes).as_dict()
        except OptionsError as error:
            raise refused(str(error)) from None

    async def check_options(self, user_options: object) -> None:
        """Refuse an impossible choice before a spawn begins.

        Args:
            user_options: What the REST API was sent; None for the choice of the last spawn.

        Raises:
            tornado.web.HTTPError: 400 with a sentence when the choice is not possible.
        """
        await self._refresh_projects()
        self._chosen(self.orm_spawner.user_options or {} if user_options is None else user_options)

    async def _refresh_projects(self) -> None:
        # JupyterHub asks the hook when it shows the form and when it spawns, but not in between.
        await self.run_auth_state_hook(await self.user.get_auth_state())

    def _chosen(self, user_options: object) -> Options:
        try:
            return options.choose(options.from_json(user_options), self.brics_projects, self.runtimes)
        except OptionsError as error:
            raise refused(str(error)) from None

    def use_options(self, user_options: object) -> None:
        """Take the person's choice, which may come from the REST API and have passed no form.

        Raises:
            tornado.web.HTTPError: 400 with a sentence when the choice is not possible, 403 when the person's projects
                were confirmed too long ago.
        """
        login = self.authenticator
        if isinstance(login, BricsAuthenticator) and not login.has_confirmed(self.user.name):
            raise not_permitted("Your projects have not been confirmed for a long time. Please log in again.")
        chosen = self._chosen(user_options)
        self._options = chosen
        self.req_username = self.brics_projects[chosen.brics_project]["username"]
        self.req_homedir = home_of(self.req_username)

    async def start(self) -> tuple[str, int]:
        """Submit the job of the chosen project and return the node and port that its server listens on."""
        self.use_options(self.user_options)
        return await super().start()

    def get_req_subvars(self) -> dict[str, Any]:
        """Return the variables of the templates; what the person left empty stays as the site configured it."""
        variables: dict[str, Any] = super().get_req_subvars()
        variables |= {"brics_project": "", "project": project_of(self.req_username)}
        if self._options is not None:
            variables |= {name: value for name, value in self._options.as_dict().items() if value}
        return variables

    # The job's environment

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        # The hub's PATH and the like mean nothing on a compute node.
        return ["JUPYTERHUB_SINGLEUSER_APP"]

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the account's own variables; it need not exist on the hub's machine."""
        return env | {"USER": self.req_username, "HOME": self.req_homedir, "SHELL": self.shell}

    # State

    def get_state(self) -> dict[str, Any]:
        """Return what a restarted hub needs to ask about the job as the right account."""
        state: dict[str, Any] = super().get_state()
        if self.job_id or self.job_key:
            state |= {"username": self.req_username, "homedir": self.req_homedir}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned."""
        if is_account(state.get("username")):
            self.req_username = state["username"]
            self.req_homedir = home_of(state["username"])
        super().load_state(state)


def _take_projects(spawner: BricsSlurmSpawner, auth_state: dict[str, Any] | None) -> None:
    spawner.brics_projects = auth_state or {}
