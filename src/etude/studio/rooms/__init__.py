"""The rooms of the studio: what each shows, and what it lets people do."""
