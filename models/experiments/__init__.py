"""The evaluation of SpaceVerse (Zhang et al., ACM MM 2025, section 4): a module per idea, `spaceverse.run` for all."""
