"""All faults, in the order of a user's path: login, requests, spawn, jobs, commands, configuration, data in place."""

from power.faults_of_commands import COMMANDS
from power.faults_of_data import DATA
from power.faults_of_jobs import JOBS
from power.faults_of_login import LOGIN
from power.faults_of_readiness import READINESS
from power.faults_of_requests import REQUESTS
from power.faults_of_sites import SITES
from power.faults_of_spawns import SPAWNS

FAULTS = (*LOGIN, *REQUESTS, *SPAWNS, *JOBS, *COMMANDS, *READINESS, *SITES, *DATA)
