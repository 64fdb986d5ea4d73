"""The one exception that is the user's to mend."""


class UserError(Exception):
    """A mistake that the user can mend: its text is one line saying what, where and what to do.

    Line ends are taken out here, because a text may quote a path or another library's message.
    """

    def __init__(self, text: str):
        super().__init__(" ".join(line.strip() for line in text.splitlines()))
