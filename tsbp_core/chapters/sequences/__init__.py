"""Chapter 11: recurrent networks that learn real sequences."""
