"""Imported late."""


def louder(text: str) -> str:
    try:
        import not_on_this_machine  # type: ignore[import-not-found]

        return str(not_on_this_machine.louder(text))
    except ImportError:
        return text.upper()
