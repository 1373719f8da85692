"""Images: facts for the API, bytes for hosts.

May assume domain values.  Never keeps a user's token beyond one call; never guesses a disk
format: the image service's word, or a refusal.
"""
