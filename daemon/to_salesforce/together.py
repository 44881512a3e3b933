"""Tasks that stand and fall together: the first error ends them all and is raised as it is."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run(name: str, *coroutines: Coroutine[Any, Any, None]) -> None:
    """Until all have ended, or one of them failed: then the others are cancelled first."""
    tasks = [asyncio.create_task(each, name=name) for each in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
