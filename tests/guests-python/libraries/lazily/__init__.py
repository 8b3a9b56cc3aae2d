"""A package of somebody else's, that imports what it needs when it needs it."""


def shout(text: str) -> str:
    import fractions

    from .inner import louder

    return f"{louder(text)}, {float(fractions.Fraction(1, 2))}"
