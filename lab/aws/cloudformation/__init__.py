"""CloudFormation: creates, updates, rolls back and deletes stacks of the resource types that the lab models.

Here: the API (`api`), stack operations, templates and schemas, custom resources, and `resource_types_*`.
A newcomer adds a row to the table of the `resource_types_*` module of its kind; two kinds of types carry the tables
(`stack_resources.MotoType`, `WrittenType`).
"""
