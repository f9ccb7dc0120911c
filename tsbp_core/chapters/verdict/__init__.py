"""Chapter 14: what was found, and what to do."""
