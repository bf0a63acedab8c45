"""What a lab run shows: the live terminal display and the report files."""
