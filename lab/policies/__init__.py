"""Are the roles' policies exactly what the product needs: judged from the calls of a real run.

For: the tests that evaluate a call log against the deployed roles. Guarantees: evaluation is that of a maintained
evaluator over AWS's own list of actions, resource types and condition keys (docs/decisions/009). Does not: enforce
anything in the lab; a call that AWS would deny succeeds here and is reported afterwards.
"""
