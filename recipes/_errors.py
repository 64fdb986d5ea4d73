"""The one exception that is the user's to mend."""


class UserError(Exception):
    """A mistake that the user can mend: its text is one line saying what, where and what to do."""
