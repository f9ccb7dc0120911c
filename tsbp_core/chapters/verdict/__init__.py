"""Chapter 13: what was found, and what to do."""
