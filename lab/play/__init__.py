"""A whole lab put together: world, stage, scenes, synthesis and deployment. The applications stand on it."""
