"""What pages share: style and colours, figures and tables as HTML, explorers."""

from tsbp_core.page.html import excerpt, show, table

__all__ = ["excerpt", "show", "table"]
