"""CloudFormation: creates, updates, rolls back and deletes stacks of the resource types that the lab models.

Here: the API (`api`), stack operations, templates and schemas, custom resources, and `resource_types_*`.
Imports: autoscaling, ec2, route53, core. Imported by: account, http.
A newcomer adds a resource type in the `resource_types_*` module of its kind, and a row to `resource_types.TYPES`.
"""
