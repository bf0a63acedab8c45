"""The control plane: moto with the rules that AWS has and moto lacks, over HTTP or in process."""
