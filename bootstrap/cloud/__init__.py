"""AWS as the agent sees it: metadata service, EC2, Auto Scaling, Route 53, parameters, topic.

Imports: base, boto3 and requests. One thin module per AWS service: each call is bounded, and every error that leaves is
one of ours (CloudError). `clients` says which errors pass with time. Decisions and loops are in the rooms above.
A newcomer comes here to add a call of AWS.
"""
