"""The rooms: pages, and what their scripts ask for. None has logic of its own."""
