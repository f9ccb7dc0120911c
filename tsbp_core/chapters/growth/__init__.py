"""Chapter 10: how credit grows with tall surrogates."""
