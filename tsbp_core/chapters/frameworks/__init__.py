"""Chapter 11: what other libraries do with the reset's gradient."""
