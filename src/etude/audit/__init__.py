"""`etude audit`: implementations that the world uses, held against their papers."""
