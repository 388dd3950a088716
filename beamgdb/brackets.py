"""By what one sees that the text of a term is of one whose elements can be shown one by one."""

from __future__ import annotations

import re
from typing import Final

OPENS: Final = re.compile(r"(?!\[\]|[#%]?\{\})(\[|\{|%|#(?!\w+<))")
"""A list that is no string, a tuple, a map or a record, in Erlang or Elixir, unless it is empty; no fun, reference or
port, which begin with # too."""


def opens(text: str) -> bool:
    """Whether a term of this text may have elements. Others never have any."""
    return OPENS.match(text) is not None
