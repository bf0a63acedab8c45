"""EC2 as documented, where moto is more lenient."""
