"""The tasks by name, and the task of a kind of labels."""

from __future__ import annotations

from typing import Any

from headstart.errors import InternalError
from headstart.tasks.classes import CLASSIFY
from headstart.tasks.tags import TAGS
from headstart.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (CLASSIFY, TAGS)}


def task_of(target: Any) -> Task:
    """The task that predicts such labels."""
    for task in TASKS.values():
        if isinstance(target, task.target):
            return task
    raise InternalError(f"no task predicts {type(target).__name__}.")
