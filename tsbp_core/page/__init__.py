"""What pages share: style and colours, figures and tables as HTML, texts, explorers."""

from tsbp_core.page.html import excerpt, glue, show, table

__all__ = ["excerpt", "glue", "show", "table"]
