"""`make noticed`: what goes wrong on real machines, who notices it, after how long, and when somebody serves again."""
