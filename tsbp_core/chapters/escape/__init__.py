"""Chapter 9: the exact gradient with escape noise against surrogate gradients."""
