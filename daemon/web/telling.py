"""A record's story in the order in which it happened, for the panel and for `m3sync explain`."""

from datetime import datetime
from typing import TypeAlias, assert_never

from state.insight_models import HeardEvent, RunStory, Story
from state.reread_models import RereadStory

Chapter: TypeAlias = HeardEvent | RunStory | RereadStory


def in_order(story: Story) -> list[Chapter]:
    """What was heard, read again and run, oldest first."""
    return sorted([*story.events, *story.rereads, *story.runs], key=_moment)


def _moment(chapter: Chapter) -> datetime:
    match chapter:
        case HeardEvent():
            return chapter.received_at
        case RunStory():
            return chapter.run.started_at
        case RereadStory():
            return chapter.opened_at
        case _:
            assert_never(chapter)
