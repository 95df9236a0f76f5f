"""Find damaged files in an instance's private directory, before a command relies on them.

A damaged seed of an earlier pod is not restored, because its digest differs, and the next `up` replaces it.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hubpod.components import assembly
from hubpod.deployment.rollback import ARCHIVE_ENDING, COMPLETE
from hubpod.instances import Instance
from hubpod.podman.snapshot import Snapshot
from hubpod.settings.credentials import DIGEST_KEY, RESTORE_DOC, find_problems
from hubpod.settings.problems import Problem, UnreadableError
from hubpod.settings.yaml_files import read_file
from hubpod.workspace import InstanceFiles, Workspace

RECORD = {"manifest": str, "written": dict, "sources": dict}
BACKUP = {"manifest": str, "labels": dict, "written": dict}
"""Type of each attribute in the JSON of an instance's record, and of the backup of an upgrade."""


def find(workspace: Workspace, instance: Instance, found: Snapshot) -> Sequence[Problem]:
    """Find all problems of an instance's files; nothing is changed."""
    files = workspace.files(instance)
    misplaced = [*_find_misplaced(files)]
    if misplaced:
        return misplaced
    rows = (*assembly.credentials(), DIGEST_KEY)
    return [
        *find_problems(files.credentials, rows, volumes_by_part(instance, found)),
        *_find_record_problems(files),
        *_find_backup_problems(files.backup),
        *_find_saved_problems(files.seeds),
    ]


def warning(problem: Problem) -> str:
    """Return a sentence for a command that works in spite of a problem."""
    return f"! {problem.message}; {problem.remedy}"


def volumes_by_part(instance: Instance, found: Snapshot) -> dict[str, str]:
    """Return podman's names of an instance's volumes, by their parts, such as hub-data."""
    return {name.removeprefix(f"{instance.resource}-"): name for name in found.volumes}


def _find_misplaced(files: InstanceFiles) -> Iterator[Problem]:
    """Find other objects in the places of directories."""
    environment = files.directory.parent
    for path in (environment.parent, environment, files.directory, files.credentials, files.seeds, files.backup):
        if os.path.lexists(path) and not path.is_dir():
            yield Problem(path=path, text="is not a directory", remedy=f"move {path} away")


def _find_record_problems(files: InstanceFiles) -> Iterator[Problem]:
    if os.path.lexists(files.record):
        text = _find_json_problem(files.record, RECORD, is_whole=False)
        if text:
            text += ", so the pod that was ready last and the directories of its sources are not known"
            remedy = f"remove {files.record}, and run `up` with the same --source options as before"
            yield Problem(path=files.record, text=text, remedy=remedy)


def _find_backup_problems(backup: Path) -> Iterator[Problem]:
    """Find what prevents an interrupted upgrade from being undone."""
    complete = backup / COMPLETE
    if not os.path.lexists(complete):
        return
    remedy = f"move {backup} away, after restoring the hub's database from it as {RESTORE_DOC} says if you need it"
    text = _find_json_problem(complete, BACKUP)
    if text:
        text += ", so the interrupted upgrade cannot be undone"
        yield Problem(path=complete, text=text, remedy=remedy)
        return
    for volume in json.loads(complete.read_bytes())["labels"]:
        archive = backup / f"{volume}{ARCHIVE_ENDING}"
        if not archive.is_file() or not archive.stat().st_size:
            text = "is missing or empty, so the interrupted upgrade cannot be undone"
            yield Problem(path=archive, text=text, remedy=remedy)


def _find_saved_problems(seeds: Path) -> Iterator[Problem]:
    for path in sorted(seeds.glob("*")):
        if not path.is_file():
            yield Problem(path=path, text="is not a file", remedy=f"remove {path}; `up` then writes it")


def _find_json_problem(path: Path, attributes: Mapping[str, type], *, is_whole: bool = True) -> str:
    """Find what is wrong with a JSON object that hubpod has written, as the end of a sentence.

    Args:
        path: The file.
        attributes: Type of each attribute.
        is_whole: Whether all attributes are required. Earlier versions wrote fewer into some files.
    """
    try:
        value = json.loads(read_file(path, ""))
    except UnreadableError as error:
        return error.problem.text
    except (ValueError, RecursionError):
        return "is damaged: not JSON"
    fits = isinstance(value, dict) and all(
        isinstance(value[name], kind) if name in value else not is_whole for name, kind in attributes.items()
    )
    return "" if fits else "is damaged: not the object that hubpod writes"
