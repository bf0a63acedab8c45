"""CloudFormation: stacks, updates, custom resources."""
