"""A record's story in the order in which it happened, for the panel and for `m3sync explain`."""

from state.insight_models import HeardEvent, RunStory, Story


def in_order(story: Story) -> list[HeardEvent | RunStory]:
    """What was heard and what was run, oldest first."""
    chapters: list[HeardEvent | RunStory] = [*story.events, *story.runs]
    return sorted(
        chapters, key=lambda each: each.run.started_at if isinstance(each, RunStory) else each.received_at
    )
