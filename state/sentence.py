"""How a message becomes a sentence, so that something may follow it."""


def ended(text: str) -> str:
    """With a stop, where it has no end of its own; nothing stays nothing."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."
