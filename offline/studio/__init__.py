"""The studio: a project folder from recordings to a voice of one's own."""
