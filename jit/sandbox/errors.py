"""What goes wrong with a sandbox, as a user sees it."""


class SandboxError(Exception):
    """The text is one line: what, where, and what to do about it."""
