"""Auto Scaling: groups that launch, check, replace and terminate instances, with hooks and activities.

Here: pure decisions (`group_decisions`), the engine (`groups`, `group_launch`), the API, settings, state, views.
A newcomer changes a rule in `group_decisions` and adds the row that proves it to tests/contract/behaviours.yaml.
"""
