"""Chapter 12: what other libraries do with the reset's gradient."""
