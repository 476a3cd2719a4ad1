-- One of the priorities $5.
t.priority = ANY ($5)
